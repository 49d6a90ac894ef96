"""What a guest's loop pays for an access of a port, a register and a Cirrus, beside QEMU's TCG.

One firmware of a few instructions, on both machines; of two lengths of the loop, the difference.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from benchmarks import spent
from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row
from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine

ROUNDS = 5
_TURNS = 20_000, 220_000
_MORE = 10  # as many for QEMU, which is done sooner
_IMAGE, _START, _GDT, _RESET = 0x10000, 0x100, 0x200, 0xFFF0
_FAR = 0xF0000
_TELL = b"\x66\xba\x02\x04\xb0\x45\xee\xfa\xf4"  # mov dx, 402h; mov al, 'E'; out dx, al; cli; hlt
_PORT = b"\xe4\x80"  # in al, 80h
_PLANES = b"\xa2\x00\x00\x0a\x00"  # mov [A0000h], al: planes, as after reset
_FILL = b"\x0f\xb7\xf9\x88\x87\x00\x00\x0a\x00"  # movzx edi, cx; mov [edi + A0000h], al
_MODE = b"\x66\xba\xce\x03\xb0\x31\xee"  # mov dx, 3ceh; mov al, 31h; out dx, al
_REGISTER = b"\xa1\x10\x00\xc0\xfe"  # mov eax, [FEC00010h], the I/O APIC's data window


def rows() -> list[Row]:
    """Return the processor time of one turn of each loop, best of 5."""
    with tempfile.TemporaryDirectory() as folder:
        return [
            _row(what, access, Path(folder) / "loop.bin", vga)
            for what, access, vga in (
                ("a guest's read of a port", _PORT, "none"),
                ("a guest's read of a device's register", _REGISTER, "none"),
                ("a guest's byte to the planes of a Cirrus", _PLANES, "cirrus"),
                ("a guest's byte to 64 KiB of planes, one after the other", _FILL, "cirrus"),
                ("a guest's byte to a register of a Cirrus", _MODE, "cirrus"),
            )
        ]


def _row(what: str, access: bytes, image: Path, vga: str) -> Row:
    ours: list[list[float]] = [[], []]
    theirs: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for n, turns in enumerate(_TURNS):
            image.write_bytes(_firmware(access, turns))
            ours[n].append(_ours(image, vga))
            if PROGRAM:
                image.write_bytes(_firmware(access, turns * _MORE))
                theirs[n].append(_qemu(image, vga))
    peer = _each(theirs) / _MORE if PROGRAM else None
    return Row(what, _each(ours), peer)


def _each(times: list[list[float]]) -> float:
    """Return the seconds of one turn: the least time of the long loop less that of the short."""
    return (min(times[1]) - min(times[0])) / (_TURNS[1] - _TURNS[0])


def _firmware(access: bytes, turns: int) -> bytes:
    """Return 64 KiB that go into protected mode, and round the loop."""
    image = bytearray(b"\xf4" * _IMAGE)
    loop = b"\xb9" + turns.to_bytes(4, "little") + access
    loop += b"\x49\x75" + bytes((0xFD - len(access) & 0xFF,))  # dec ecx; jnz
    real = (
        b"\xfa\x2e\x0f\x01\x16"
        + (_GDT + 0x18).to_bytes(2, "little")  # cli; lgdt [cs:...]
        + b"\x0f\x20\xc0\x0c\x01\x0f\x22\xc0\x66\xea"  # mov eax, cr0; or al, 1; mov cr0, eax; jmp
    )
    wide = _FAR + _START + len(real) + 6
    data = b"\xb0\x10\x8e\xd8"  # mov al, 10h; mov ds, ax
    code = real + wide.to_bytes(4, "little") + b"\x08\x00" + data + loop + _TELL
    image[_START : _START + len(code)] = code
    table = bytes(8) + bytes.fromhex("ffff0000009bcf00 ffff00000093cf00")
    table += b"\x17\x00" + (_FAR + _GDT).to_bytes(4, "little")
    image[_GDT : _GDT + len(table)] = table
    image[_RESET : _RESET + 5] = b"\xea" + _START.to_bytes(2, "little") + b"\x00\xf0"
    return bytes(image)


def _ours(image: Path, vga: str) -> float:
    config = MachineConfig(ram_size=16 * MIB, bios=image, debugcon=True, vga=vga)
    with VirtualMachine(config) as vm:
        begin = time.process_time()
        vm.run()
        return time.process_time() - begin


def _qemu(image: Path, vga: str) -> float:
    assert PROGRAM is not None
    log, log_end = os.pipe()
    command = [PROGRAM, *MACHINE, "-m", "16M", "-bios", str(image), "-vga", vga,
               "-chardev", f"file,id=d,path=/dev/fd/{log_end}",
               "-device", "isa-debugcon,iobase=0x402,chardev=d"]  # fmt: skip
    with subprocess.Popen(command, pass_fds=(log_end,), stdin=subprocess.DEVNULL) as process:
        os.close(log_end)
        os.read(log, 1)
        seconds = spent.of_process(process.pid)
        process.kill()
    os.close(log)
    return seconds
