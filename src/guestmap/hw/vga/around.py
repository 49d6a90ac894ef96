"""Memory that begins again behind its end, as a display adapter's does."""

from __future__ import annotations


def around(memory: memoryview | bytearray, at: int, size: int) -> bytes:
    """Return bytes; behind the memory's end it begins again."""
    at %= len(memory)
    piece = bytes(memory[at : at + size])
    while len(piece) < size:
        piece += bytes(memory[: size - len(piece)])
    return piece
