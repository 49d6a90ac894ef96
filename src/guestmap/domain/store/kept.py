"""What documents said that were read, or written, before: the same bytes are not read twice."""

from __future__ import annotations

from typing import Generic, TypeVar

_MOST = 256
"""Documents that are remembered."""

T = TypeVar("T")


class Kept(Generic[T]):
    """Remembers for each name the bytes of its file that were last seen, and what they mean.

    Whoever asks has read the file, and gets an answer for exactly those bytes; so it does not
    matter who else writes it.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, T]] = {}

    def get(self, name: str, data: bytes) -> T | None:
        """Return what a file's bytes mean; None where they were not seen before."""
        known = self._known.get(name)
        return known[1] if known is not None and known[0] == data else None

    def put(self, name: str, data: bytes, value: T) -> T:
        """Remember what a file's bytes mean; return it."""
        while len(self._known) >= _MOST and name not in self._known:
            self._known.pop(next(iter(self._known)), None)
        self._known[name] = (data, value)
        return value
