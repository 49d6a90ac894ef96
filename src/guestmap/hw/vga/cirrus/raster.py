"""What the blitter makes of a line: raster operations, and bits that become dots.

A line is one big number: an operation on all of its bytes is one operation of Python's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

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


def dragged(
    function: Operation, span: bytes, size: int, key: bytes = b"", *, is_back: bool
) -> bytes:
    """Return a line that comes from itself: each byte from what has become of one before it.

    What an operation makes of a bit that comes is that bit, its opposite, or always 0 or 1; two
    such in a row are one again. So chains of two links, four, eight and so on do all of the line.

    Args:
        function: the operation.
        span: the line, and before it (behind it, where ``is_back``) what its beginning comes from.
        size: bytes of the line; what is beside it is fewer.
        key: the colour, of one or two bytes, that is not put; none: all is.
        is_back: the line is done from its end.
    """
    if key:
        return _dragged_dots(function, span, size, key, is_back=is_back)
    order: Literal["big", "little"] = "big" if is_back else "little"
    reach, bits = 8 * (len(span) - size), 8 * size
    number = int.from_bytes(span, order)
    begin, before = number & (1 << reach) - 1, number >> reach
    line = function(before, 0) & (1 << bits) - 1
    follows = (function(before, -1) & (1 << bits) - 1) ^ line
    line ^= follows & begin
    follows &= -1 << reach
    while reach < bits:
        line ^= follows & line << reach
        follows &= follows << reach
        reach *= 2
    return line.to_bytes(size, order)


def _dragged_dots(
    function: Operation, span: bytes, size: int, key: bytes, *, is_back: bool
) -> bytes:
    unit = len(key)
    kind: Literal["B", "H"] = "B" if unit == 1 else "H"
    line, closed = memoryview(bytearray(span)).cast(kind), memoryview(key).cast(kind)[0]
    step, count, mask = (len(span) - size) // unit, size // unit, (1 << 8 * unit) - 1
    first, source = (0, step) if is_back else (step, -step)
    places = range(first, first + count)
    for at in reversed(places) if is_back else places:
        value = function(line[at], line[at + source]) & mask
        if value != closed:
            line[at] = value
    return line[first : first + count].tobytes()


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
