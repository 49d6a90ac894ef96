"""What became of one recording."""

from __future__ import annotations

from dataclasses import dataclass


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
    """Every answer is QEMU's."""

    path: str

    def __str__(self) -> str:
        return f"{self.path}: equal"


@dataclass(frozen=True, slots=True)
class Differs:
    """An answer is not QEMU's; the first one."""

    path: str
    difference: Difference

    def __str__(self) -> str:
        return f"{self.path}: {self.difference}"


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

    def __str__(self) -> str:
        return f"{self.path}: unreadable: {self.reason}"


Result = Equal | Differs | Unsupported | Unreadable
