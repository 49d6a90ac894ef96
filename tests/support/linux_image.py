"""Kernels of a few bytes, with the header that the Linux boot protocol asks for."""

from __future__ import annotations

import struct

from guestmap.base import MIB

SECTORS = 3


def image(**fields: int) -> bytes:
    """A kernel of 64 KiB that does nothing; fields of its header by the protocol's names."""
    places = {
        "setup_sects": ("B", 0x1F1, SECTORS), "version": ("H", 0x206, 0x20F),
        "loadflags": ("B", 0x211, 1), "initrd_addr_max": ("I", 0x22C, 0x7FFFFFFF),
        "xloadflags": ("H", 0x236, 0), "cmdline_size": ("I", 0x238, 255),
        "pref_address": ("Q", 0x258, MIB), "init_size": ("I", 0x260, 2 * MIB),
    }  # fmt: skip
    data = bytearray((SECTORS + 1) * 512 + 65536)
    data[0x202:0x206] = b"HdrS"
    for name, (kind, at, default) in places.items():
        struct.pack_into("<" + kind, data, at, fields.get(name, default))
    return bytes(data)


def bootable(code: bytes, rest: bytes = b"") -> bytes:
    """A kernel whose real-mode part is ``code``, and whose other part begins with ``rest``."""
    data = bytearray(image(init_size=MIB))
    data[0x200:0x202] = b"\xeb\x62"  # jmp 264h
    data[0x264 : 0x264 + len(code)] = code
    start = (SECTORS + 1) * 512
    data[start : start + len(rest)] = rest
    return bytes(data)
