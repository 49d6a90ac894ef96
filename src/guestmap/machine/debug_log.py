"""The firmware's debug console, as lines."""

from __future__ import annotations

from collections.abc import Callable

from guestmap.machine.observed import LogLine

MOST_LINES = 20_000
LONGEST_LINE = 4096
"""Bytes; longer ones are cut up: a guest must not fill the host's memory."""


class DebugLog:
    """Makes lines of the bytes that a guest writes to port 402h.

    Args:
        now_ns: the clock that lines are stamped with.
        on_line: hears of each.

    Attributes:
        lines: the newest, oldest first; half of them go when there are too many.
    """

    def __init__(self, now_ns: Callable[[], int], on_line: Callable[[LogLine], None]) -> None:
        self._now_ns = now_ns
        self._on_line = on_line
        self._partial = bytearray()
        self.lines: list[LogLine] = []

    @property
    def unfinished(self) -> bytes:
        """The beginning of the line that is being written."""
        return bytes(self._partial)

    def restore(self, lines: list[LogLine], unfinished: bytes) -> None:
        """Go on from lines that were saved; nobody hears of them."""
        self.lines = lines[-MOST_LINES:]
        self._partial = bytearray(unfinished[: LONGEST_LINE - 1])

    def text(self, text: bytes) -> None:
        """Take several bytes."""
        if 0x0A in text or len(self._partial) + len(text) >= LONGEST_LINE:
            for byte in text:
                self.byte(byte)
        else:
            self._partial += text

    def byte(self, byte: int) -> None:
        """Take a byte, 0 to 255."""
        if byte != 0x0A:
            self._partial.append(byte)
            if len(self._partial) < LONGEST_LINE:
                return
        line = LogLine(self._now_ns(), self._partial.decode("latin-1").rstrip("\r"))
        self._partial.clear()
        self.lines.append(line)
        if len(self.lines) > MOST_LINES:
            del self.lines[: MOST_LINES // 2]
        self._on_line(line)
