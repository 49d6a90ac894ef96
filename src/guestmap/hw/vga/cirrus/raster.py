"""What the blitter makes of a line: raster operations, and bits that become dots.

A line is one big number: an operation on all of its bytes is one operation of Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

Operation = Callable[[int, int], int]
"""``(what is there, what comes) -> what is there then``; bits beyond the line do not matter."""

_OPERATIONS: dict[int, Operation] = {
    0x00: lambda old, new: 0 & old & new,
    0x05: lambda old, new: new & old,
    0x09: lambda old, new: new & ~old,
    0x0B: lambda old, _new: ~old,
    0x0D: lambda _old, new: new,
    0x0E: lambda old, new: -1 | old | new,
    0x50: lambda old, new: ~new & old,
    0x59: lambda old, new: new ^ old,
    0x6D: lambda old, new: new | old,
    0x90: lambda old, new: ~new | ~old,
    0x95: lambda old, new: ~(new ^ old),
    0xAD: lambda old, new: new | ~old,
    0xD0: lambda _old, new: ~new,
    0xD6: lambda old, new: ~new | old,
    0xDA: lambda old, new: ~new & ~old,
}
COPY = 0x0D


def operation(number: int) -> Operation | None:
    """Return a raster operation; None for those that leave all as it is."""
    return _OPERATIONS.get(number)


def combined(function: Operation, old: bytes, new: bytes, mask: bytes | None = None) -> bytes:
    """Return a line: ``new`` comes to ``old``, where ``mask`` has ones."""
    size = len(old)
    before = int.from_bytes(old, "little")
    after = function(before, int.from_bytes(new, "little")) & ((1 << 8 * size) - 1)
    if mask is not None:
        open_ = int.from_bytes(mask, "little")
        after = before & ~open_ | after & open_
    return after.to_bytes(size, "little")


def unlike(line: bytes, key: bytes) -> bytes:
    """Return a mask of the dots of a line that are not of one colour, of one or two bytes."""
    if len(key) == 1:
        return line.translate(bytes(0 if each == key[0] else 0xFF for each in range(256)))
    return b"".join(
        b"\0\0" if line[at : at + 2] == key else b"\xff\xff" for at in range(0, len(line), 2)
    )


def dots(bits: Sequence[int], paper: bytes, ink: bytes) -> bytes:
    """Return a line of dots."""
    return b"".join(ink if bit else paper for bit in bits)


def bits_of(content: bytes) -> list[int]:
    """Return the bits of bytes, the highest of each first."""
    return [byte >> (7 - bit) & 1 for byte in content for bit in range(8)]
