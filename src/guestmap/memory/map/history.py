"""Commits as values: what changed in the map, when, and why."""

from __future__ import annotations

from itertools import pairwise

from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.map.flat_range import FlatRange


class AddressChange(NamedTuple):
    """A run of addresses that somebody else answers now, or in another way.

    Attributes:
        start, end: first address, and first after.
        old, new: the ranges that answered and answer there; None for nobody.
    """

    start: int
    end: int
    old: FlatRange | None
    new: FlatRange | None


class ViewChange(NamedTuple):
    """What one commit changed in one physical root's view.

    Attributes:
        root: name of the rendered region, "(none)" for the empty view.
        removed: ranges that are gone, lowest address first.
        added: ranges that are new, lowest address first.
    """

    root: str
    removed: tuple[FlatRange, ...]
    added: tuple[FlatRange, ...]

    def by_address(self) -> list[AddressChange]:
        """Return where the answers differ, lowest address first.

        A range that only grew or shrank is here with the part that changed hands.
        """
        edges = sorted({edge for r in (*self.removed, *self.added) for edge in (r.start, r.end)})
        changes: list[AddressChange] = []
        old_at = new_at = 0
        for start, end in pairwise(edges):
            while old_at < len(self.removed) and self.removed[old_at].end <= start:
                old_at += 1
            while new_at < len(self.added) and self.added[new_at].end <= start:
                new_at += 1
            old = _if_there(self.removed, old_at, start)
            new = _if_there(self.added, new_at, start)
            if _answer(old, start) == _answer(new, start):
                continue
            last = changes[-1] if changes else None
            if last is not None and last.end == start and last.old is old and last.new is new:
                changes[-1] = last._replace(end=end)
            else:
                changes.append(AddressChange(start, end, old, new))
        return changes


def _if_there(ranges: tuple[FlatRange, ...], index: int, address: int) -> FlatRange | None:
    if index < len(ranges) and ranges[index].start <= address:
        return ranges[index]
    return None


def _answer(each: FlatRange | None, address: int) -> tuple[object, ...] | None:
    """Return who answers at ``address``, from which of its bytes, and under which rules."""
    if each is None:
        return None
    offset = each.offset_in_region + address - each.start
    return (id(each.region), offset, each.readonly, each.nonvolatile, each.romd_mode)


class ListenerWork(NamedTuple):
    """How many callbacks a commit made, each listener counted.

    Attributes:
        added, removed, unchanged: of sections.
        logs: of dirty logs that start or stop.
        bells: of I/O event descriptors that come or go.
    """

    added: int = 0
    removed: int = 0
    unchanged: int = 0
    logs: int = 0
    bells: int = 0


class CommitRecord(NamedTuple):
    """One published commit.

    Attributes:
        generation: counts published commits of one system, from 1.
        cause: what the outermost transaction was opened for; "" if it did not say.
        time_ns: the system's clock at publication, in nanoseconds.
        changes: one for each view that was rendered anew and differs.
        rerouted: names of address spaces that now show another root's view.
        work: what the listeners were told.
    """

    generation: int
    cause: str
    time_ns: int
    changes: tuple[ViewChange, ...]
    rerouted: tuple[str, ...]
    work: ListenerWork = ListenerWork()
