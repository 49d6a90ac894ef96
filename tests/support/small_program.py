"""A program for a 64-bit Linux guest, of a few instructions: it fills memory, and looks at it.

System calls as Linux has them for x86-64 (arch/x86/entry/syscalls/syscall_64.tbl), the file as the
System V gABI's chapters 4 and 5 describe one.
"""

from __future__ import annotations

import struct

PATTERN = 0x5AFEC0DE_00000000
"""In the upper half of each word of eight bytes; the lower half is the word's number."""

SAID = "filled"
_BASE = 0x400000
_FILE, _SEGMENT = struct.Struct("<16sHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ")
_HEADERS = _FILE.size + _SEGMENT.size


def filler(size: int) -> bytes:
    """Return a program that fills so many bytes with the pattern, reads them, says so, and waits.

    It ends with status 1 where it gets no memory, or reads what it did not write.
    """
    failed = b"\xbf\x01\0\0\0\xb8\x3c\0\0\0\x0f\x05"  # exit(1)
    code = b"\xeb" + bytes([len(failed)]) + failed  # jmp over it
    code += b"\x31\xff\xbe" + _long(size) + b"\xba\x03\0\0\0\x41\xba\x22\0\0\0"
    code += b"\x49\x83\xc8\xff\x4d\x31\xc9\xb8\x09\0\0\0\x0f\x05"  # mmap of size, private, nobody's
    code += b"\x48\x85\xc0"  # test rax, rax
    code += b"\x78" + _back(len(code))  # js failed
    code += b"\x48\x89\xc3\x48\xba" + PATTERN.to_bytes(8, "little")  # mov rbx, rax; mov rdx, ...
    word = b"\x48\x89\xd6\x48\x09\xce"  # mov rsi, rdx; or rsi, rcx
    on = b"\x48\xff\xc1\x48\x81\xf9" + _long(size // 8)  # inc rcx; cmp rcx, count
    code += b"\x31\xc9"  # xor ecx, ecx
    begin = len(code)
    code += word + b"\x48\x89\x34\xcb" + on  # mov [rbx+rcx*8], rsi
    code += b"\x72" + _back(len(code), begin)  # jb begin
    code += b"\x31\xc9"
    begin = len(code)
    code += word + b"\x48\x39\x34\xcb"  # cmp [rbx+rcx*8], rsi
    code += b"\x75" + _back(len(code))  # jne failed
    code += on
    code += b"\x72" + _back(len(code), begin)
    text = SAID.encode() + b"\n"
    wait = b"\xb8\x22\0\0\0\x0f\x05\xeb\xf7"  # pause(), again and again
    place = _BASE + _HEADERS + len(code) + 22 + len(wait)
    code += b"\xbf\x01\0\0\0\xbe" + _long(place) + b"\xba" + _long(len(text))
    code += b"\xb8\x01\0\0\0\x0f\x05"  # write(1, text, length)
    return _elf(code + wait + text)


def _long(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _back(at: int, to: int = 2) -> bytes:
    """Return how far a jump of two bytes goes back; without a target, to the failure."""
    return struct.pack("b", to - at - 2)


def _elf(code: bytes) -> bytes:
    """Return an executable file that is one segment."""
    size = _HEADERS + len(code)
    entry = _BASE + _HEADERS
    file = _FILE.pack(
        b"\x7fELF\x02\x01\x01", 2, 62, 1, entry, _FILE.size, 0, 0, _FILE.size, _SEGMENT.size, 1,
        0, 0, 0,
    )  # fmt: skip
    return file + _SEGMENT.pack(1, 5, 0, _BASE, _BASE, size, size, 0x1000) + code
