#!/bin/sh
# Unicorn 2.1.4: memory that a hook maps in the last page of a 32-bit CPU's addresses is not found by the access.
#
# Expected: a hook for unmapped memory that maps the page and returns True lets the access go on, as it does anywhere
# else, and as it does here for whoever maps the page before the run.
# Seen: UC_ERR_MAP in the last 1 KiB of an ARM's 4 GiB (its pages are as small as that), in the last 4 KiB of a RISC-V's.
set -eu
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
python3 -m venv "$temp/venv"
"$temp/venv/bin/pip" install -q --disable-pip-version-check unicorn==2.1.4
"$temp/venv/bin/python" - <<'END'
import unicorn
from unicorn.arm_const import UC_ARM_REG_R1
from unicorn.riscv_const import UC_RISCV_REG_A1

CODE, LAST = 0x1000, 0xFFFFF000
ARM = unicorn.UC_ARCH_ARM, unicorn.UC_MODE_ARM, UC_ARM_REG_R1, "000091e5"  # ldr r0, [r1]
RISCV = unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32, UC_RISCV_REG_A1, "03a50500"  # lw a0, 0(a1)

def load(cpu, address, early):
    arch, mode, register, code = cpu
    page = address & -0x1000
    uc = unicorn.Uc(arch, mode)
    uc.mem_map(CODE, 0x1000)
    uc.mem_write(CODE, bytes.fromhex(code))
    if early:
        uc.mem_map(page, 0x1000)

    def hook(uc, *_):
        uc.mem_map(page, 0x1000)
        return True

    uc.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, hook)
    uc.reg_write(register, address)
    try:
        uc.emu_start(CODE, CODE + 4)
    except unicorn.UcError as error:
        return "refused" if error.errno == unicorn.UC_ERR_MAP else str(error)
    return "loaded"

print("unicorn", unicorn.__version__)
cases = [(cpu, address, early) for cpu in (ARM, RISCV) for address in (LAST - 0x1000, LAST, LAST + 0xFFC)
         for early in (True, False)]
seen = [load(*case) for case in cases]
for (cpu, address, early), what in zip(cases, seen):
    name = "ARM" if cpu is ARM else "RISC-V"
    print(f"{name:7}{address:#x} mapped {'before' if early else 'by the hook':12} expected: loaded, seen: {what}")
expected = ["loaded"] * 5 + ["refused"] + ["loaded"] * 3 + ["refused", "loaded", "refused"]
assert seen == expected, "this has changed"
END
