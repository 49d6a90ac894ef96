"""Replay of a qtest recording on a machine of ours, with no CPU.

The commands are those of QEMU's qtest protocol (docs/devel/testing/qtest.rst): ``inb``, ``inw``,
``inl``, ``outb``, ``outw``, ``outl`` on I/O ports, ``readb`` to ``readq`` and ``writeb`` to
``writeq`` on the CPU's memory, and ``qmp system_reset``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Protocol

from guestmap.base import PeerError, UnsupportedError
from guestmap.conform.cases import PLAIN_RANGE
from guestmap.conform.compare import compare_spaces
from guestmap.conform.results import Difference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.conform.cases import QtestCase
    from guestmap.conform.compare import Expected
    from guestmap.memory import AddressSpace, FlatView

_SIZES = {"b": 1, "w": 2, "l": 4, "q": 8}
_ACCESS = re.compile(
    r"(?:(?P<port>in|out)(?P<width>[bwl])|(?P<mem>read|write)(?P<size>[bwlq]))"
    r" (?P<addr>0x[0-9a-f]+)(?: (?P<value>0x[0-9a-f]+))?"
)


class ReplayMachine(Protocol):
    """What a replay needs of a machine; the machine is stopped at reset."""

    @property
    def io(self) -> AddressSpace:
        """The I/O ports."""

    @property
    def memory(self) -> AddressSpace:
        """What the first CPU sees."""

    @property
    def address_spaces(self) -> Sequence[AddressSpace]:
        """Every address space of the machine."""

    def system_reset(self) -> None:
        """Reset everything, as the monitor's ``system_reset`` does."""


def replay(
    case: QtestCase, machine: ReplayMachine, *, limit: int | None = None
) -> list[Difference]:
    """Make every recorded access, and compare each reply and each view after each step.

    Args:
        case: the recording.
        machine: made from ``case.cmdline``, untouched so far.
        limit: stop after so many differences; None goes on to the end.

    Raises:
        UnsupportedError: the recording has a command that is not replayed; names it.
        PeerError: a step refers to a view that the recording lacks.
    """
    found: list[Difference] = []
    expected: Expected = {}
    checked: list[FlatView] = []
    for number, step in enumerate(case.steps):
        where = f"step {number} ({step.what})"
        for index, (command, reply) in enumerate(step.ops):
            answer = _perform(machine, command)
            if not _agree(reply, answer):
                mine = "nothing" if answer is None else f"0x{answer:x}"
                found.append(Difference(f"{where}, command {index} {command!r}", reply, mine))
                if limit is not None and len(found) >= limit:
                    return found
        if step.spaces is not None:
            expected = _expected(case, step.spaces)
            checked = []
        views = [space.view for space in machine.address_spaces]
        if not _same_objects(views, checked):
            checked = views
            found += compare_spaces(f"{where}, ", PLAIN_RANGE, expected, machine.address_spaces)
        if limit is not None and len(found) >= limit:
            return found[:limit]
    return found


def _perform(machine: ReplayMachine, command: str) -> int | None:
    """Make one access; return what was read, None for a write."""
    if command == "qmp system_reset":
        machine.system_reset()
        return None
    match = _ACCESS.fullmatch(command)
    if match is None:
        raise UnsupportedError(f"qtest command {command!r}")
    space = machine.io if match["port"] else machine.memory
    size = _SIZES[match["width"] or match["size"]]
    address = int(match["addr"], 16)
    if (match["port"] or match["mem"]) in ("in", "read"):
        return space.load(address, size)
    space.store(address, size, int(match["value"] or "0", 16))
    return None


def _agree(reply: str, answer: int | None) -> bool:
    if not reply or answer is None:
        return not reply and answer is None
    try:
        return int(reply, 16) == answer
    except ValueError:
        raise PeerError(f"{reply[:40]!r} is no reply of qtest: expected a number") from None


def _same_objects(views: list[FlatView], checked: list[FlatView]) -> bool:
    return len(views) == len(checked) and all(a is b for a, b in zip(views, checked, strict=True))


def _expected(case: QtestCase, spaces: Sequence[tuple[str, str, int]]) -> Expected:
    expected: Expected = {}
    for name, root, index in spaces:
        if not 0 <= index < len(case.views):
            raise PeerError(f"address space {name!r} shows view {index}, absent")
        view = case.views[index]
        expected.setdefault((name, root), []).append((view.root, view.ranges))
    return expected
