"""What became of one recording."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

How = Literal["text alone", "with flat view"]
"""From what a capture's tree was rebuilt: from its own text, or from that and its views."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where guestmap and QEMU do not agree.

    Attributes:
        where: the address space and range, or the step and command.
        qemu: what QEMU answered.
        guestmap: what we answer.
    """

    where: str
    qemu: str
    guestmap: str

    def __str__(self) -> str:
        return f"{self.where}: QEMU {self.qemu}; guestmap {self.guestmap}"


@dataclass(frozen=True, slots=True)
class Equal:
    """Every answer is QEMU's; ``how``: for a capture, how its tree was rebuilt."""

    path: str
    how: How | None = None

    def __str__(self) -> str:
        return f"{_place(self.path, self.how)}: equal"


@dataclass(frozen=True, slots=True)
class Differs:
    """An answer is not QEMU's; the first one.

    Attributes:
        reason: which facts were concluded wrongly, where that is known.
        excused: nothing is wrong with us: the text does not tell, and no rule does.
    """

    path: str
    difference: Difference
    how: How | None = None
    reason: str = ""
    excused: bool = False

    def __str__(self) -> str:
        reason = f" (not in the text: {self.reason})" if self.reason else ""
        return f"{_place(self.path, self.how)}: {self.difference}{reason}"


@dataclass(frozen=True, slots=True)
class Unsupported:
    """The recording needs something that guestmap lacks; names it."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: unsupported: {self.what}"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The file is not what its format promises."""

    path: str
    reason: str
    how: How | None = None

    def __str__(self) -> str:
        return f"{_place(self.path, self.how)}: unreadable: {self.reason}"


def _place(path: str, how: How | None) -> str:
    return path if how is None else f"{path} ({how})"


Result = Equal | Differs | Unsupported | Unreadable
