#!/bin/sh
# Unicorn 2.1.4: to unmap physical memory while the guest pages changes which exception the guest takes next.
#
# Expected: mem_unmap takes a physical address, and the guest's next page fault is vector 14.
# Seen: the address is looked up in the guest's page tables as a linear one. Where they have no such page, an
# exception is left pending that the guest never caused, and its first real page fault arrives as vector 8, a
# double fault. Unmap while paging is off, or set the TLB to UC_TLB_VIRTUAL for as long as the map changes.
set -eu
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
python3 -m venv "$temp/venv"
"$temp/venv/bin/pip" install -q --disable-pip-version-check unicorn==2.1.4
"$temp/venv/bin/python" - <<'END'
import struct
import unicorn
from unicorn import x86_const as x86

PRESENT_WRITABLE, PAGES = 3, 32
TABLES, CODE, TAKEN = 0x10000, 0x1000, 0x3000
READ_ABSENT = bytes.fromhex("a100005000")  # mov eax, [500000h]: beyond what the tables map

def vector_of_a_page_fault(unmap):
    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    for start, size in ((0, TAKEN), (TAKEN, 0x1000), (TABLES, 0x4000)):
        uc.mem_map(start, size)
    entries = [page << 12 | PRESENT_WRITABLE if page << 12 != TAKEN else 0 for page in range(PAGES)]
    uc.mem_write(TABLES, struct.pack("<I", TABLES + 0x1000 | PRESENT_WRITABLE))
    uc.mem_write(TABLES + 0x1000, struct.pack(f"<{PAGES}I", *entries))
    uc.reg_write(x86.UC_X86_REG_CR3, TABLES)
    uc.reg_write(x86.UC_X86_REG_CR0, 0x80000011)
    uc.mem_write(CODE, READ_ABSENT)
    seen = []
    uc.hook_add(unicorn.UC_HOOK_INTR, lambda uc, vector, _: (seen.append(vector), uc.emu_stop()))
    if unmap:
        uc.mem_unmap(TAKEN, 0x1000)  # memory that the guest does not use
    uc.emu_start(CODE, CODE + len(READ_ABSENT))
    return seen[0]

print("unicorn", unicorn.__version__)
print("expected: vector 14, with unrelated memory unmapped before or not")
seen = [vector_of_a_page_fault(unmap) for unmap in (False, True)]
print("seen:     vector", seen[0], "without, vector", seen[1], "with")
assert seen == [14, 8], "this has changed"
END
