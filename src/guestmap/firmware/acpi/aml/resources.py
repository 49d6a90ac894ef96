"""Resource descriptors: the ports, memory, interrupts and DMA channels of a device.

ACPI specification 6.5, section 6.4: small descriptors 6.4.2, large ones 6.4.3. A template is a
buffer of descriptors, as ``_CRS`` and ``_PRS`` return it.
"""

from __future__ import annotations

import struct

from guestmap.firmware.acpi.aml.objects import buffer

_IO, _IRQ, _DMA, _END = 0x47, 0x22, 0x2A, 0x79
_FIXED_MEMORY32, _DWORD, _WORD, _EXTENDED_IRQ, _QWORD = 0x86, 0x87, 0x88, 0x89, 0x8A
_MEMORY, _IO_RANGE, _BUS_RANGE = 0, 1, 2
_FIXED_MIN_MAX = 0x0C  # both ends of the range are what they are
_ENTIRE_RANGE = 0x03  # I/O: both the ISA and the other addresses
_READ_WRITE = 0x01
_CACHEABLE = 0x02
_LEVEL_HIGH_SHARED_CONSUMER = 0x09
_ADDRESS_FORMATS = {_WORD: "<BBB5H", _DWORD: "<BBB5I", _QWORD: "<BBB5Q"}

QWORD_MIN, QWORD_MAX, QWORD_LENGTH = 14, 22, 38
"""Where a quad-word descriptor that begins a template has its _MIN, _MAX and _LEN."""


def template(*descriptors: bytes) -> bytes:
    """Return ``ResourceTemplate``; the end tag's checksum 0 stands for "not checked"."""
    return buffer(b"".join(descriptors) + bytes([_END, 0]))


def io(port: int, count: int) -> bytes:
    """``IO``: ``count`` ports from ``port`` on, all 16 address bits decoded."""
    return struct.pack("<BBHHBB", _IO, 1, port, port, 1, count)


def irq(line: int) -> bytes:
    """``IRQNoFlags``: an ISA interrupt: edge-triggered, active high, not shared."""
    return struct.pack("<BH", _IRQ, 1 << line)


def dma(channel: int) -> bytes:
    """``DMA``: an ISA channel: compatibility timing, not a bus master, 8 bits wide."""
    return bytes([_DMA, 1 << channel, 0])


def interrupt(*lines: int) -> bytes:
    """``Interrupt``: level-triggered, active high, shared; one of several for ``_PRS``."""
    body = struct.pack(f"<BB{len(lines)}I", _LEVEL_HIGH_SHARED_CONSUMER, len(lines), *lines)
    return _large(_EXTENDED_IRQ, body)


def memory32_fixed(start: int, length: int) -> bytes:
    """``Memory32Fixed``, read-only: addresses that nothing else may use."""
    return _large(_FIXED_MEMORY32, struct.pack("<BII", 0, start, length))


def word_bus_number(first: int, last: int) -> bytes:
    """``WordBusNumber``: the buses below a host bridge."""
    return _address(_WORD, _BUS_RANGE, 0, first, last)


def word_io(first: int, last: int) -> bytes:
    """``WordIO``: ports that a bridge passes on."""
    return _address(_WORD, _IO_RANGE, _ENTIRE_RANGE, first, last)


def dword_memory(first: int, last: int, *, cacheable: bool = False) -> bytes:
    """``DWordMemory``: addresses below 4 GiB that a bridge passes on."""
    kind = _READ_WRITE | (_CACHEABLE if cacheable else 0)
    return _address(_DWORD, _MEMORY, kind, first, last)


def qword_memory(first: int, last: int, *, cacheable: bool = False) -> bytes:
    """``QWordMemory``: addresses of 64 bits."""
    kind = _READ_WRITE | (_CACHEABLE if cacheable else 0)
    return _address(_QWORD, _MEMORY, kind, first, last)


def _address(tag: int, resource: int, kind: int, first: int, last: int) -> bytes:
    """Return an address space descriptor: granularity and translation are 0."""
    values = (0, first, last, 0, last - first + 1)
    return _large(tag, struct.pack(_ADDRESS_FORMATS[tag], resource, _FIXED_MIN_MAX, kind, *values))


def _large(tag: int, body: bytes) -> bytes:
    return struct.pack("<BH", tag, len(body)) + body
