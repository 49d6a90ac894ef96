"""A guest of forty instructions that makes a list of accesses, for what only a CPU can ask.

qtest's accesses come from no CPU, so local APIC registers read 0 there. This firmware image enters
flat protected mode, works through a table of operations, stores what it read, and resets; QEMU is
told to pause at that reset, and the results are read from its memory.
"""

from __future__ import annotations

import struct
from pathlib import Path

from tests.support.qemu import Qemu

READ, WRITE, TAKE = 1, 2, 3
"""Operations: read 32 bits, write 32 bits, take every interrupt that is pending."""

TAKEN = 0x100
"""Set in a result that is the vector of an interrupt taken."""
END_OF_TAKE = 0xFFFF
"""The result after a TAKE's last interrupt."""

_RESULTS = 0x10000
_COUNT = 0xF000
_TABLE = 0x1000  # in the image, and so at F1000h

_REAL_MODE = bytes.fromhex(
    "fa"  # cli
    "2e660f01164000"  # lgdt cs:[0x40]
    "2e660f011e4800"  # lidt cs:[0x48]
    "0f20c0"  # mov eax, cr0
    "0c01"  # or al, 1
    "0f22c0"  # mov cr0, eax
    "66ea00010f000800"  # jmp dword 0x08:0xf0100
)

_PROTECTED_MODE = bytes.fromhex(
    "66b81000"  # mov ax, 0x10
    "8ed8"  # mov ds, ax
    "8ec0"  # mov es, ax
    "8ed0"  # mov ss, ax
    "bc00e00000"  # mov esp, 0xe000
    "be00100f00"  # mov esi, table
    "bf00000100"  # mov edi, results
    # next:
    "8b06"  # mov eax, [esi]
    "8b5e04"  # mov ebx, [esi + 4]
    "8b4e08"  # mov ecx, [esi + 8]
    "83c60c"  # add esi, 12
    "83f801"  # cmp eax, READ
    "740f"  # je read
    "83f802"  # cmp eax, WRITE
    "740f"  # je write
    "83f803"  # cmp eax, TAKE
    "740e"  # je take
    "e9dc000000"  # jmp end
    # read:
    "8b03"  # mov eax, [ebx]
    "ab"  # stosd
    "ebdc"  # jmp next
    # write:
    "890b"  # mov [ebx], ecx
    "ebd8"  # jmp next
    # take:
    "fb"  # sti
    + "90eb00"
    * 16  # nop; jmp to the next: each a place where an interrupt may come
    + "fa"  # cli
    "b8ffff0000"  # mov eax, END_OF_TAKE
    "ab"  # stosd
)

_END = bytes.fromhex(
    "893d00f00000"  # mov [count], edi
    "66baf90c"  # mov dx, 0xcf9
    "b006"  # mov al, 6
    "ee"  # out dx, al: full reset
    "f4"  # hlt
)
_END_AT = 0x200

_INTERRUPT = bytes.fromhex(
    "58"  # pop eax: the vector that the stub pushed
    "25ff000000"  # and eax, 0xff
    "0d00010000"  # or eax, TAKEN
    "ab"  # stosd
    "cf"  # iret
)
_INTERRUPT_AT, _STUBS_AT, _IDT_AT = 0x300, 0x400, 0xF000 - 0x800
_GDT_AT = 0x60


def _image(operations: list[tuple[int, int, int]]) -> bytes:
    image = bytearray(0x10000)

    def put(at: int, data: bytes) -> None:
        assert not any(image[at : at + len(data)]), f"two things at {at:#x}"
        image[at : at + len(data)] = data

    put(0, _REAL_MODE)
    put(0x40, struct.pack("<HI", 0x17, 0xF0000 + _GDT_AT))
    put(0x48, struct.pack("<HI", 0x7FF, 0xF0000 + _IDT_AT))
    flat = 0x00CF_0000_0000_FFFF
    put(_GDT_AT, struct.pack("<QQQ", 0, flat | 0x9B << 40, flat | 0x93 << 40))
    code = _PROTECTED_MODE
    next_at = 0x100 + code.index(bytes.fromhex("8b068b5e04"))
    code += b"\xe9" + struct.pack("<i", next_at - (0x100 + len(code) + 5))
    jump = code.index(b"\xe9\xdc\0\0\0")
    code = code[: jump + 1] + struct.pack("<i", _END_AT - 0x100 - jump - 5) + code[jump + 5 :]
    put(0x100, code)
    put(_END_AT, _END)
    put(_INTERRUPT_AT, _INTERRUPT)
    for vector in range(256):
        stub = _STUBS_AT + 8 * vector
        put(stub, b"\x6a" + bytes([vector]) + b"\xe9")
        put(stub + 3, struct.pack("<i", _INTERRUPT_AT - (stub + 7)))
        gate = struct.pack("<HHHH", stub, 0x08, 0x8E00, 0xF)
        put(_IDT_AT + 8 * vector, gate)
    table = b"".join(struct.pack("<III", *operation) for operation in operations)
    assert _TABLE + len(table) < _IDT_AT, "too many operations"
    put(_TABLE, table)
    put(0xFFF0, bytes.fromhex("ea000000f0"))  # jmp 0xf000:0
    return bytes(image)


def run_in_qemu(operations: list[tuple[int, int, int]], directory: Path) -> list[int]:
    """Return what the operations read, and the interrupts they took, in order.

    Args:
        operations: (READ, address, 0), (WRITE, address, value) or (TAKE, 0, 0).
        directory: where the firmware image is written.
    """
    image = directory / "accesses.bin"
    image.write_bytes(_image(operations))
    action = "reboot=shutdown,shutdown=pause"
    with Qemu("-m", "16M", "-bios", str(image), "-action", action) as qemu:
        qemu.qmp("cont")
        qemu.wait_event("STOP")
        end = qemu.load(_COUNT, 4)
        count = (end - _RESULTS) // 4
        return [*struct.unpack(f"<{count}I", qemu.read(_RESULTS, 4 * count))] if count else []
