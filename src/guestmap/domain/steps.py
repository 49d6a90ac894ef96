"""The changes of a plan as values: QMP commands, and what takes each back."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from guestmap.inspect.map.report import Report


@dataclass(frozen=True, slots=True)
class Step(Report):
    """One command.

    Attributes:
        command, arguments: as they go over the wire.
        undo: the step that takes it back, where a later step is refused; None: nothing does.
    """

    command: str
    arguments: dict[str, Any] = field(default_factory=dict)
    undo: Step | None = None

    def __str__(self) -> str:
        words = (
            f"{name}={value:#x}" if name in {"addr", "memaddr"} else f"{name}={value}"
            for name, value in self.arguments.items()
        )
        return " ".join((self.command, *words))
