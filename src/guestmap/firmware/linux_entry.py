"""How a Linux kernel is entered: the code behind its loading, in real mode and in protected mode.

Linux, Documentation/arch/x86/boot.rst: "Running the Kernel" for the real-mode part, and "32-bit
Boot Protocol" for a kernel whose real-mode part is not run: there the zero page
(Documentation/arch/x86/zero-page.rst), which that part would make, is the loader's, with the memory
map that firmware tells (ACPI 6.5, chapter 15: INT 15h, E820h).
"""

from __future__ import annotations

import struct

from guestmap.base import ConfigError

ENTRIES = (16, 32)
"""Widths of the code at which a kernel may be entered."""

_HEADER_AT, _HEADER_LENGTH_AT, _HEADER_SPACE_END = 0x1F1, 0x201, 0x290
_E820_COUNT_AT, _E820_AT, _E820_LARGEST, _E820_SIZE = 0x1E8, 0x2D0, 128, 20
_GDT_AT, _GDTR_AT, _CODE_AT = 0x1000, 0x1020, 0x1028  # behind the zero page
_CODE_SELECTOR, _DATA_SELECTOR = 0x10, 0x18  # __BOOT_CS, __BOOT_DS
_FLAT_CODE, _FLAT_DATA = 0x00CF9A000000FFFF, 0x00CF92000000FFFF


def check_entry(entry: int) -> None:
    """Refuse a width that no kernel is entered with.

    Raises:
        ConfigError: neither 16 nor 32.
    """
    if entry not in ENTRIES:
        raise ConfigError(
            f"--kernel-entry {entry}: give 16, the kernel's real-mode code, or 32, its"
            " protected-mode code"
        )


def enter_real_mode(segment: int, stack: int) -> bytes:
    """Return code that enters the real-mode part, which is at ``segment``, 200h bytes behind."""
    return (
        _segments(segment, stack) +
        b"\xea\x00\x00" + struct.pack("<H", segment + 0x20)  # jmp segment+20h:0
    )  # fmt: skip


def enter_protected_mode(segment: int, stack: int) -> bytes:
    """Return real-mode code that asks for the memory map and goes on behind the zero page.

    Args:
        segment: where :func:`zero_page` is loaded.
        stack: where the stack begins in that segment.
    """
    count = struct.pack("<H", _E820_COUNT_AT)
    call = (
        b"\x66\xb8\x20\xe8\x00\x00"  # next: mov eax, E820h
        b"\x66\xba\x50\x41\x4d\x53"  # mov edx, 'SMAP'
        b"\x66\xb9" + struct.pack("<I", _E820_SIZE) +  # mov ecx, 20
        b"\xcd\x15"  # int 15h
    )  # fmt: skip
    more = (
        b"\x83\xc7" + bytes([_E820_SIZE]) +  # add di, 20
        b"\xfe\x06" + count +  # inc byte [count]
        b"\x66\x85\xdb\x74\x07"  # test ebx, ebx; jz done
        b"\x80\x3e" + count + bytes([_E820_LARGEST])  # cmp byte [count], 128
    )  # fmt: skip
    carry = b"\x72" + bytes([len(more) + 2])  # jc done
    again = b"\x72" + struct.pack("<b", -len(call + carry + more) - 2)  # jb next
    code_at = (segment << 4) + _CODE_AT
    return (
        _segments(segment, stack) +
        b"\xbf" + struct.pack("<H", _E820_AT) +  # mov di, table
        b"\x66\x31\xdb" +  # xor ebx, ebx
        call + carry + more + again +
        b"\xfa\x66\x0f\x01\x16" + struct.pack("<H", _GDTR_AT) +  # done: cli; lgdt [gdtr]
        b"\x0f\x20\xc0\x0c\x01\x0f\x22\xc0"  # mov eax, cr0; or al, 1; mov cr0, eax
        b"\x66\xea" + struct.pack("<IH", code_at, _CODE_SELECTOR)  # jmp 10h:code
    )  # fmt: skip


def zero_page(setup: bytes, at: int, kernel_at: int) -> bytes:
    """Return a kernel's zero page with a GDT and the last of the way into it behind.

    Args:
        setup: the kernel's real-mode part, with what a loader fills in.
        at: the address of the result.
        kernel_at: that of the kernel's 32-bit code.
    """
    end = min(_HEADER_LENGTH_AT + 1 + setup[_HEADER_LENGTH_AT], _HEADER_SPACE_END)
    page = bytearray(_GDT_AT)
    page[_HEADER_AT:end] = setup[_HEADER_AT:end]
    gdt = struct.pack("<4Q", 0, 0, _FLAT_CODE, _FLAT_DATA)
    code = (
        b"\xb8" + struct.pack("<I", _DATA_SELECTOR) +  # mov eax, 18h
        b"\x8e\xd8\x8e\xc0\x8e\xe0\x8e\xe8\x8e\xd0"  # mov ds, es, fs, gs, ss
        b"\xbe" + struct.pack("<I", at) +  # mov esi, zero page
        b"\x31\xed\x31\xff\x31\xdb"  # xor ebp, ebp; xor edi, edi; xor ebx, ebx
        b"\xb8" + struct.pack("<I", kernel_at) + b"\xff\xe0"  # mov eax, kernel; jmp eax
    )  # fmt: skip
    gdtr = struct.pack("<HIH", len(gdt) - 1, at + _GDT_AT, 0)
    return bytes(page) + gdt + gdtr + code


def _segments(segment: int, stack: int) -> bytes:
    return (
        b"\xb8" + struct.pack("<H", segment) +  # mov ax, segment
        b"\x8e\xd8\x8e\xc0\x8e\xe0\x8e\xe8\x8e\xd0"  # mov ds, es, fs, gs, ss
        b"\x66\xbc" + struct.pack("<I", stack)  # mov esp, stack
    )  # fmt: skip
