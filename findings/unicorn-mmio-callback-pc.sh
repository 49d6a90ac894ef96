#!/bin/sh
# Unicorn 2.1.4: which program counter a device's callback reads depends on whether anybody watches memory.
#
# Expected: within the read callback of mmio_map, EIP is that of the instruction that reads the device, as it is
# within the library's memory hooks; and a hook that does nothing changes nothing.
# Seen: EIP is where the block of code begins, here eight instructions before. With a memory hook that does nothing
# it is exact. So "who touched this register?" names the wrong instruction until somebody watches memory as well.
set -eu
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
python3 -m venv "$temp/venv"
"$temp/venv/bin/pip" install -q --disable-pip-version-check unicorn==2.1.4
"$temp/venv/bin/python" - <<'END'
import unicorn
from unicorn.x86_const import UC_X86_REG_EIP

CODE, DEVICE = 0x1000, 0x100000
AHEAD = 8
PROGRAM = b"\x90" * AHEAD + b"\xa1" + DEVICE.to_bytes(4, "little")  # nops; mov eax, [DEVICE]

def place_of_the_access(hook):
    uc = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_32)
    seen = []

    def read(uc, offset, size, data):
        seen.append(uc.reg_read(UC_X86_REG_EIP))
        return 0

    uc.mem_map(CODE, 0x1000)
    uc.mem_write(CODE, PROGRAM)
    uc.mmio_map(DEVICE, 0x1000, read, None, None, None)
    if hook:
        uc.hook_add(unicorn.UC_HOOK_MEM_READ, lambda *_: None)
    uc.emu_start(CODE, CODE + len(PROGRAM))
    return seen[0]

print("unicorn", unicorn.__version__)
exact = CODE + AHEAD
print(f"expected: {exact:#x}, with a hook on memory or without")
seen = [place_of_the_access(hook) for hook in (False, True)]
print(f"seen:     {seen[0]:#x} without, {seen[1]:#x} with one")
assert seen == [CODE, exact], "this has changed"
END
