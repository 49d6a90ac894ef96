"""A wire between two devices."""

from __future__ import annotations

from collections.abc import Callable


class IrqLine:
    """One interrupt line: a level, and whoever listens to its edges.

    A line that nobody is connected to is an open wire: setting it is allowed and does nothing.
    """

    __slots__ = ("_handler", "level", "name")

    def __init__(self, handler: Callable[[bool], None] | None = None, *, name: str = "irq") -> None:
        self._handler = handler
        self.level = False
        self.name = name

    def connect(self, handler: Callable[[bool], None]) -> None:
        """Attach the receiver; it is told the present level at once when that is high."""
        self._handler = handler
        if self.level:
            handler(True)

    def set(self, level: bool) -> None:
        """Drive the line; the receiver hears of changes only."""
        level = bool(level)
        if level == self.level:
            return
        self.level = level
        if self._handler is not None:
            self._handler(level)

    def pulse(self) -> None:
        """Raise and lower the line."""
        self.set(True)
        self.set(False)

    def __repr__(self) -> str:
        return f"<IrqLine {self.name} {'high' if self.level else 'low'}>"
