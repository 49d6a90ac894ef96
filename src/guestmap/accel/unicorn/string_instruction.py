"""REP MOVS and REP STOS in their encoding (Intel SDM, volume 2, sections 2.1, 2.2.1 and 4.3)."""

from __future__ import annotations

from guestmap.accel.unicorn.state import CS, DS, ES, FS, GS, SS
from guestmap.base.named_tuple import NamedTuple

LONGEST = 15
"""Bytes of an instruction (Intel SDM, volume 2, section 2.3.11)."""

_REP, _OTHER_DATA, _OTHER_ADDRESS = 0xF3, 0x66, 0x67
_SEGMENTS = {0x26: ES, 0x2E: CS, 0x36: SS, 0x3E: DS, 0x64: FS, 0x65: GS}
_REX, _REX_W = range(0x40, 0x50), 8
_MOVS, _STOS = (0xA4, 0xA5), (0xAA, 0xAB)


class StringInstruction(NamedTuple):
    """What a CPU is at.

    Attributes:
        segment: the source's segment register; None for STOS.
        size: bytes of an element.
        mask: an address's, and the count's.
        length: bytes of the instruction itself.
    """

    segment: int | None
    size: int
    mask: int
    length: int


def decoded(code: bytes, bits: int) -> StringInstruction | None:
    """Return the string instruction that some code begins with, or None.

    Args:
        code: the bytes.
        bits: of the code segment: 16, 32 or 64.
    """
    prefixes, segment, is_eight = set(), DS, False
    for at, byte in enumerate(code):
        if byte in _MOVS + _STOS and _REP in prefixes:
            size = 1
            if byte & 1:
                size = 8 if is_eight else 2 if (bits == 16) is not (_OTHER_DATA in prefixes) else 4
            mask = (1 << _address_bits(bits, _OTHER_ADDRESS in prefixes)) - 1
            return StringInstruction(segment if byte in _MOVS else None, size, mask, at + 1)
        if bits == 64 and byte in _REX:
            is_eight = bool(byte & _REX_W)
        elif is_eight or byte not in {_REP, _OTHER_DATA, _OTHER_ADDRESS, *_SEGMENTS}:
            return None  # REX stands right before the opcode
        elif byte in _SEGMENTS:
            segment = _SEGMENTS[byte]
        else:
            prefixes.add(byte)
    return None


def _address_bits(bits: int, other: bool) -> int:
    if bits == 64:
        return 32 if other else 64
    return 32 if (bits == 16) is other else 16
