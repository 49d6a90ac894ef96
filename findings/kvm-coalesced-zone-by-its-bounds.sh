#!/bin/sh
# Linux 6.1: taking a range out of KVM's coalesced zones takes out a zone that contains it, and leaves one that lies in it.
#
# Expected: KVM_UNREGISTER_COALESCED_MMIO is told a range, so what is no longer coalesced are the writes to that range;
# or a range that is no zone's is an error.
# Seen: both answers are 0. A range around a zone changes nothing: writes go on into the ring, without an exit. Four
# bytes within a zone take all of it away. So a zone can be taken out by its own bounds alone. (6.18 is the same.)
# Needs the Python of Debian 12, and its QEMU: KVM runs in its emulation of SVM, in a minute or two.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
"$here/../tools/linux_guest.sh" "$temp/linux"
cat >"$temp/zones.py" <<'END'
import ctypes, mmap, os, struct
from fcntl import ioctl

CREATE_VM, MMAP_SIZE, CREATE_VCPU = 0xAE01, 0xAE04, 0xAE41
SET_REGION, RUN, SET_REGS = 0x4020AE46, 0xAE80, 0x4090AE82
GET_SREGS, SET_SREGS, SREGS_BYTES = 0x8138AE83, 0x4138AE84, 312
REGISTER, UNREGISTER = 0x4010AE67, 0x4010AE68
EXITS = {2: "IO", 6: "MMIO"}
CODE = b"\xa2\x00\x80\xe6\x80\xeb\xf9"  # again: mov [8000h], al; out 80h, al; jmp again

kvm = os.open("/dev/kvm", os.O_RDWR)
vm = ioctl(kvm, CREATE_VM, 0)
ram = mmap.mmap(-1, 0x1000)
ram[: len(CODE)] = CODE
place = ctypes.addressof(ctypes.c_char.from_buffer(ram))
ioctl(vm, SET_REGION, struct.pack("<IIQQQ", 0, 0, 0, len(ram), place))
cpu = ioctl(vm, CREATE_VCPU, 0)
run = mmap.mmap(cpu, ioctl(kvm, MMAP_SIZE, 0))
sregs = bytearray(SREGS_BYTES)
ioctl(cpu, GET_SREGS, sregs)
for number, base in ((0, 0), (1, 0xB0000)):  # CS, DS
    struct.pack_into("<QIH", sregs, 24 * number, base, 0xFFFF, base >> 4)
ioctl(cpu, SET_SREGS, bytes(sregs))
ioctl(cpu, SET_REGS, struct.pack("<18Q", *[0] * 17, 2))

def exits():
    """Return how KVM tells of a write to B8000h and one to a port."""
    seen = []
    while seen[-1:] != ["IO"]:
        ioctl(cpu, RUN, 0)
        seen.append(EXITS[struct.unpack_from("<I", run, 8)[0]])
    return " ".join(seen)

def zone(request, start, length):
    ioctl(vm, request, struct.pack("<QII", start, length, 0))

seen = [exits()]
for each in ((REGISTER, 0xB8000, 0x1000), (UNREGISTER, 0xB7000, 0x3000), (UNREGISTER, 0xB8100, 4)):
    zone(*each)
    seen.append(exits())
print("seen:", ", ".join(seen), "on", os.uname().release)
END
cd "$here/.."
.venv/bin/python - "$temp" <<'END'
import sys
from pathlib import Path
from tests.support import kvm_guest, kvm_initramfs, linux_guest

PINNED = "6.1."
temp, lines = Path(sys.argv[1]), []
for module in (kvm_guest, kvm_initramfs, linux_guest):
    module.PARTS = temp / "linux"

def more(made):
    made.add(kvm_guest.inner(kvm_guest.ROOT / "zones.py"), (temp / "zones.py").read_bytes())

status = kvm_guest.run_in_kvm_guest(
    temp, "python3 zones.py", timeout_s=900, told=lines.append, linux=temp / "linux", more=more)
told = next(each for each in lines if each.startswith("seen:"))
seen, kernel = told.removeprefix("seen: ").strip().split(" on ")
print("Linux", kernel)
print("a write beside no zone, in one, after a range around it went, after four bytes in it went:")
print("expected: MMIO IO, IO, MMIO IO, MMIO IO")
print("         or an error; or the last one IO, for the byte that is written is not among the four")
print("seen:    ", seen)
assert status == 0 and kernel.startswith(PINNED), f"another version than {PINNED}: look again"
assert seen == "MMIO IO, IO, IO, MMIO IO", "this has changed"
END
