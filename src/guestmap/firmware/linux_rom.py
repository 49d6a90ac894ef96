"""An option ROM that loads a Linux kernel through fw_cfg and enters it.

A boot entry vector, as the BIOS Boot Specification 1.01 has it (chapter 3, "PnP Expansion Header"):
firmware calls it when it gets to booting, after every reset. Each part of the kernel goes where it
belongs by one request to fw_cfg's DMA interface (QEMU, docs/specs/fw_cfg.rst).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from guestmap.base.named_tuple import NamedTuple

_UNIT = 512
_PNP_AT, _CODE_AT = 0x20, 0x40
_PRODUCT = b"Linux\0"
_DMA_PORT = 0x514
_DMA_READ_SELECTED = 0x0A  # select the item in bits 16-31, and read it


class Load(NamedTuple):
    """An item of fw_cfg, and where it goes."""

    key: int
    size: int
    address: int


def linux_rom(loads: Iterable[Load], enter: bytes) -> bytes:
    """Return the ROM.

    Args:
        loads: what to load, in this order.
        enter: real-mode code for what comes then; it is at no certain address.
    """
    requests = b"".join(
        struct.pack(">IIQ", each.key << 16 | _DMA_READ_SELECTED, each.size, each.address)
        for each in loads
        if each.size
    )
    table = _CODE_AT + len(_code(0, 0, enter))
    code = _code(table, table + len(requests), enter)
    body = code + requests
    product = _CODE_AT + len(body)
    size = -(-(product + len(_PRODUCT)) // _UNIT)
    header = b"\x55\xaa" + bytes((size, 0xCB))  # retf: nothing to set up
    header = header.ljust(0x1A, b"\0") + struct.pack("<HHH", _PNP_AT, 0, 0)
    rom = bytearray((header + _pnp(product) + body + _PRODUCT).ljust(size * _UNIT, b"\0"))
    rom[-1] = -sum(rom) & 0xFF
    return bytes(rom)


def _pnp(product: int) -> bytes:
    """Return the expansion header of a device that can be booted from."""
    header = bytearray(struct.pack(
        "<4sBBHBBIHHBBBBHHHHH",
        b"$PnP", 1, 2, 0, 0, 0, 0, 0, product, 0, 0, 2, 0x14, 0, 0, _CODE_AT, 0, 0,
    ))  # fmt: skip
    header[9] = -sum(header) & 0xFF
    return bytes(header)


def _code(table: int, end: int, enter: bytes) -> bytes:
    le16 = struct.Struct("<H").pack
    one_request = (
        b"\x83\xec\x10"  # next: sub sp, 16
        b"\x89\xe7\x16\x07"  # mov di, sp; push ss; pop es
        b"\xb9\x08\x00\xf3\xa5"  # mov cx, 8; rep movsw
        b"\x66\x31\xc0\x8c\xd0\x66\xc1\xe0\x04"  # xor eax, eax; mov ax, ss; shl eax, 4
        b"\x66\x0f\xb7\xdc\x66\x01\xd8"  # movzx ebx, sp; add eax, ebx
        b"\x66\x0f\xc8\x66\x93"  # bswap eax; xchg eax, ebx
        b"\xba" + le16(_DMA_PORT) +  # mov dx, port
        b"\x66\x31\xc0\x66\xef"  # xor eax, eax; out dx, eax
        b"\x66\x93\x83\xc2\x04\x66\xef"  # xchg eax, ebx; add dx, 4; out dx, eax
        b"\x89\xe3"  # mov bx, sp
        b"\x66\x36\x8b\x07\x66\x0f\xc8"  # wait: mov eax, ss:[bx]; bswap eax
        b"\xa8\x01\x75" + struct.pack("<b", len(enter) + 14) +  # test al, 1; jnz failed
        b"\x66\x85\xc0\x75\xf0"  # test eax, eax; jnz wait
        b"\x83\xc4\x10"  # add sp, 16
        b"\x81\xfe" + le16(end)  # cmp si, end
    )  # fmt: skip
    failed = b"\xcd\x18"  # int 18h: this could not be booted from
    start = b"\xfa\xfc\x0e\x1f\xbe" + le16(table)  # cli; cld; push cs; pop ds; mov si, table
    again = b"\x72" + struct.pack("<b", -len(one_request) - 2)  # jb next
    return start + one_request + again + enter + failed
