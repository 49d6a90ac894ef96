"""Firmware that switches paging on, fills the registers, and halts for good."""

from __future__ import annotations

from pathlib import Path

ABSENT, MOVED, MOVED_TO, LARGE, UNMAPPED = 0x2000, 0x3000, 0x5000, 0x400000, 0x800000
"""Linear pages: without a page, with another's frame, of 4 MiB, without a table."""

_SIZE = 0x10000
_REAL_MODE = (
    "fa"  # cli
    "b800108ed8"  # mov ax, 0x1000; mov ds, ax: the page directory
    "66c706000003100100"  # mov dword [0], 0x11003: one table, for the first 4 MiB
    "66c706040083004000"  # mov dword [4], 0x400083: a page of 4 MiB
    "66c706fc0f8300c0ff"  # mov dword [0xffc], 0xffc00083: another, with this firmware
    "b800118ed8"  # mov ax, 0x1100; mov ds, ax: the table
    "66b803000000"  # mov eax, 3
    "31ff"  # xor di, di
    # next:
    "668905"  # mov [di], eax
    "660500100000"  # add eax, 0x1000
    "83c704"  # add di, 4
    "81ff0004"  # cmp di, 0x400: the first MiB
    "72ee"  # jb next
    "66c706080000000000"  # mov dword [8], 0: no page at 2000h
    "66c7060c0003500000"  # mov dword [12], 0x5003: the page at 3000h is that at 5000h
    "66b800000100"  # mov eax, 0x10000
    "0f22d8"  # mov cr3, eax
    "66b810000000"  # mov eax, 0x10: 4 MiB pages
    "0f22e0"  # mov cr4, eax
    "2e660f01160002"  # lgdt cs:[0x200]
    "0f20c0"  # mov eax, cr0
    "660d01000080"  # or eax, 0x80000001
    "0f22c0"  # mov cr0, eax
    "66ea00010f000800"  # jmp dword 0x08:0xf0100
)
_PROTECTED_MODE = (
    "66b810008ed88ed0"  # mov ax, 0x10; mov ds, ax; mov ss, ax
    "66b818008ec0"  # mov ax, 0x18; mov es, ax
    "66b820008ee0"  # mov ax, 0x20; mov fs, ax
    "66b828008ee8"  # mov ax, 0x28; mov gs, ax
    "66b830000f00d0"  # mov ax, 0x30; lldt ax
    "b878563412"  # mov eax, 0x12345678
    "bbefbeadde"  # mov ebx, 0xdeadbeef
    "ba04030201"  # mov edx, 0x01020304
    "bc00f00000"  # mov esp, 0xf000
    "31c9"  # xor ecx, ecx: zero and parity flags
    "f9fd"  # stc; std
    "f4"  # hlt
    "ebfd"  # jmp to it
)
_GDT_REGISTER = "3f0010020f00"
_GDT = (
    "0000000000000000"
    "ffff0000009acf00"  # 08: code, 32 bits, flat
    "ffff00000092cf00"  # 10: data, flat
    "ffff402301900000"  # 18: data, read-only, 16 bits, at 12340h
    "0000000000964000"  # 20: data, growing down
    "ffff000000fe4000"  # 28: code, conforming, readable, for everybody
    "1f00007000820000"  # 30: a local table
    "0000000000000000"
)


def write_image(folder: Path) -> Path:
    """Write the image and return its path."""
    image = bytearray(b"\xf4" * _SIZE)
    for offset, code in (
        (0, _REAL_MODE),
        (0x100, _PROTECTED_MODE),
        (0x200, _GDT_REGISTER),
        (0x210, _GDT),
        (0xFFF0, "ea000000f0"),  # jmp 0xf000:0
    ):
        data = bytes.fromhex(code)
        image[offset : offset + len(data)] = data
    path = folder / "paging.bin"
    path.write_bytes(image)
    return path
