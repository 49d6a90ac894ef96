"""What there is to tell of a firmware's flow."""

from __future__ import annotations

from collections import Counter
from dataclasses import field
from enum import StrEnum

from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple


class Decision(StrEnum):
    """What the firmware did that was entered by the reset vector."""

    OPEN = "not yet decided"
    START = "start: POST, and INT 19h"
    REBOOT = "reboot: the machine is reset once more"
    RESUME = "resume: code that was there before goes on"


class StackKind(StrEnum):
    """What a stack is for, told from when and how it is come to."""

    MAIN = "main"
    THREAD = "thread"
    EXTRA = "extra"
    SMM = "SMM"
    OTHER = "other"


STACK_KINDS = {
    StackKind.MAIN: "the first after an entry by the reset vector",
    StackKind.THREAD: "of set-up: come to in 32-bit code before the boot, and left to others",
    StackKind.EXTRA: "come to as INT or an interrupt enters the firmware",
    StackKind.SMM: "of the system management handler",
    StackKind.OTHER: "of what was booted, or of an option ROM",
}


@dataclass(slots=True)
class FirmwareEntry:
    """The CPU began at the reset vector, and what came of it."""

    time_ns: int
    cause: str
    decision: Decision = Decision.OPEN


class Decided(NamedTuple):
    """What the firmware was entered for shows."""

    time_ns: int
    entry: FirmwareEntry


class ModeChange(NamedTuple):
    """The CPU goes on in another mode: ``16-bit``, ``16-bit big``, ``32-bit``, with ``SMM``."""

    time_ns: int
    before: str
    after: str


@dataclass(slots=True)
class Stack:
    """A stack: addresses that the stack pointer had, linear.

    Attributes:
        number: in the order of their first use.
        kind: what it is for.
        place: which region of the map it lies in, and where there.
        low, high: the least and the most that the stack pointer was.
        born_ns, left_ns: when it was come to first, and left last.
        lives: how often it was begun anew: a place that is freed is used again.
        hops: how often it was come to.
        causes: by what, and how often.
        pointer: where it was left.
        start: where its present life began.
    """

    number: int
    kind: StackKind
    place: str
    low: int
    high: int
    born_ns: int
    left_ns: int = 0
    lives: int = 1
    hops: int = 0
    causes: Counter[str] = field(default_factory=Counter)
    pointer: int = 0
    start: int = 0


class StackHop(NamedTuple):
    """The CPU goes on with another stack.

    Attributes:
        before, after: the stacks; None where there was none before.
        cause: ``INT 13h``, ``interrupt 08h``, ``SMI``; "" where code did so by itself.
        begins: a life of the stack begins.
        ends: a life of the stack before it ends.
    """

    time_ns: int
    before: Stack | None
    after: Stack
    cause: str
    begins: bool
    ends: bool


class InterruptsOpen(NamedTuple):
    """Hardware interrupts were open.

    Attributes:
        time_ns, until_ns: from when until when.
        address: of the code that they were open for first.
        came: vectors of those that came in.
    """

    time_ns: int
    until_ns: int
    address: int
    came: tuple[int, ...]


FlowEvent = FirmwareEntry | Decided | ModeChange | StackHop | InterruptsOpen
