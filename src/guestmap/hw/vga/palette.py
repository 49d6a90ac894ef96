"""The colours of a VGA: its palette, and sixteen of it through the attribute controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.hw.vga.state import VgaState


def colour(state: VgaState, index: int) -> bytes:
    """Return an entry of the palette, 8 bits each: of 6, the lowest is there three times."""
    entry = bytes(state.palette[3 * index : 3 * index + 3])
    if state.dac_8_bit:
        return entry
    return six_bits(entry)


def six_bits(entry: bytes | bytearray) -> bytes:
    """Return a colour of 6 bits each with 8 each."""
    return bytes((each & 0x3F) << 2 | (each & 1) * 3 for each in entry)


def sixteen(state: VgaState) -> list[bytes]:
    """Return the colours of four planes: through the attribute controller."""
    attribute = state.attribute
    high = attribute[0x14]
    if attribute[0x10] & 0x80:
        return [colour(state, (high & 0x0F) << 4 | each & 0x0F) for each in attribute[:16]]
    return [colour(state, (high & 0x0C) << 4 | each & 0x3F) for each in attribute[:16]]
