"""``explain``: who answers at an address, how it is reached, and why nobody else answers.

A loser is another region that lays claim to the address. Each way to a loser counts, because each
is a different thing that somebody could have meant: RAM is behind a PAM segment's read-only alias,
its disabled writable alias, and the low RAM below. A way that is cut off before the address counts
only where the region has no better way there (a BAR behind a bridge, outside the bridge's window),
and what an alias leaves out of a region is no claim of it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.inspect.ask.explanation import Answer, Explanation, Loser, path_of
from guestmap.inspect.ask.hole import hole_of_tree, hole_of_view
from guestmap.inspect.ask.iommus import is_iommu
from guestmap.inspect.ask.notes import concluded, contradiction
from guestmap.inspect.ask.ram_place import ram_place
from guestmap.inspect.ask.recorded import index_at, range_at, recorded_answer
from guestmap.inspect.ask.slot_words import SEEN_BY_CPUS
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.ask.verdict import Verdict, clipped, disabled, outranked
from guestmap.inspect.map.around import Around
from guestmap.inspect.map.reach import Reach
from guestmap.inspect.map.report import RegionRef
from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.unshown import unknown_on
from guestmap.inspect.map.ways import Way, leading_to, walk

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.inspect.ask.spaces import NamedSpace
    from guestmap.inspect.map.snapshot import SlotInfo, Snapshot, ViewInfo


def explain(snapshot: Snapshot, address: int, space: str = "memory") -> Explanation:
    """Return who answers at ``address`` (bytes) in an address space, and who does not and why.

    Raises:
        ConfigError: no such address space, or the address does not fit in 64 bits.
    """
    if not 0 <= address < ADDRESS_SPACE_SIZE:
        raise ConfigError(f"{address:#x} is not an address: give 0 to 0x{ADDRESS_SPACE_SIZE - 1:x}")
    found = Spaces(snapshot).find(space)
    told = _explained(snapshot, address, found)
    if told.winner is None or not found.name.startswith(SEEN_BY_CPUS):
        return told
    return replace(told, slot=slot_at(snapshot, address))


def slot_at(snapshot: Snapshot, address: int) -> SlotInfo | None:
    """Return the hypervisor's memory slot that serves a guest-physical address."""
    holds = (each for each in snapshot.slots if 0 <= address - each.start < each.size)
    return next(holds, None)


def _explained(snapshot: Snapshot, address: int, found: NamedSpace) -> Explanation:
    view, space, root = found.view, found.name, found.root
    if root is None:
        answer = recorded_answer(snapshot, view, address)
        note = "the source shows flat views only: who is hidden below cannot be told"
        hole = None if answer is not None or view is None else hole_of_view(view.ranges, address)
        return Explanation(address, space, answer, (), (note,), hole=hole)
    return _Case(snapshot, address, space, root).explanation(view)


class _Case:
    """One question: the claims on the address, in rendering order, and the whole view."""

    def __init__(self, snapshot: Snapshot, address: int, space: str, root: int) -> None:
        self.snapshot = snapshot
        self.address = address
        self.space = space
        self.root = root
        self.reach = Reach(snapshot)
        self.view = shown(snapshot, root)
        ways = walk(snapshot, root, address, address + 1, beyond=self.reach)
        self._missed: dict[int, bool] = {}
        claims = (way for way in ways if way.answers and _holds(way.claim, address))
        self.claims = [way for way in claims if _holds(self._claim(way), address)]

    def _claim(self, way: Way) -> tuple[int, int]:
        """Return which addresses the region at the end of a way lays claim to.

        An alias is a window: what is behind it lays no claim outside. But registers of which no
        window shows anything (a BAR that the bridge above it does not forward) are missed there.
        """
        inside = way.claim_in_windows
        if inside == way.claim or way.region.type != "i/o" or not self._is_missed(way.region.id):
            return inside
        return way.claim

    def _is_missed(self, region: int) -> bool:
        """Tell whether no way leaves anything of a region."""
        if region not in self._missed:
            only = leading_to(self.snapshot, region)
            ways = walk(self.snapshot, self.root, only=only)
            self._missed[region] = not any(way.region.id == region for way in ways)
        return self._missed[region]

    def explanation(self, view: ViewInfo | None) -> Explanation:
        index = index_at(self.view, self.address)
        winner = None if index is None else self.view[index].way
        shown_claims = [way for way in self.claims if way.shows(self.address)]
        there = {(way.region.id, way.base) for way in shown_claims}
        losers = [
            self._shown_loser(way, index)
            for way in shown_claims
            if winner is None or not _same(way, winner)
        ]
        cut: dict[tuple[int, int], list[Way]] = {}
        for way in self.claims:
            if (way.region.id, way.base) not in there and not way.is_circular:
                cut.setdefault((way.region.id, way.base), []).append(way)
        losers += [self._cut_loser(ways) for ways in cut.values()]
        answer = None if winner is None or index is None else self._answer(winner, index)
        unknown = None if winner is None else unknown_on(winner)
        if unknown is not None:
            answer = recorded_answer(self.snapshot, view, self.address)
            unknown = unknown if view is None else ""
            return Explanation(self.address, self.space, answer, tuple(losers), unknown=unknown)
        notes = concluded(self.snapshot, winner, losers)
        if view is not None:
            notes = contradiction(winner, range_at(view.ranges, self.address))
        hole = None
        if winner is None:
            hole = hole_of_tree(self.snapshot, self.root, self.address, self.view)
        return Explanation(self.address, self.space, answer, tuple(losers), notes, hole=hole)

    def _answer(self, way: Way, index: int) -> Answer:
        start, end = self._run(index, lambda other: _continues(way, other))
        region = way.region
        offset = self.address - way.base
        return Answer(
            name=region.name,
            type="rom" if way.readonly else region.type,
            offset=offset,
            start=start,
            end=end,
            priority=region.priority,
            nonvolatile=way.nonvolatile,
            owner=region.owner,
            ram=ram_place(self.snapshot, region.name, region.type, offset),
            id=region.id,
            path=path_of(self.snapshot, way, self.address),
            iommu=is_iommu(region.name, region.type, region.size),
        )

    def _shown_loser(self, way: Way, index: int | None) -> Loser:
        """Return the loser at the end of a way that reaches the address."""
        steps = way.steps()
        verdict = disabled(steps)
        if verdict is not None:
            return self._loser(way, verdict, way.lo, way.hi)
        assert index is not None  # an enabled way that shows the address answers if no other does
        verdict = outranked(steps, self.view[index].way.steps())
        assert verdict is not None
        start, end = self._run(index, lambda other: outranked(steps, other.steps()) == verdict)
        return self._loser(way, verdict, max(start, way.lo), min(end, way.hi))

    def _cut_loser(self, ways: list[Way]) -> Loser:
        """Return the loser whose every way is cut off before the address; the best way speaks."""
        best = max(ways, key=lambda way: way.worth)
        steps = best.steps()
        obstacle = clipped(steps, self.address)
        assert obstacle is not None
        index, verdict = obstacle
        around = Around(self.address)
        around.within(*self._claim(best))
        for step in steps[:index]:
            around.within(*step.extent)
        around.outside(*steps[index].extent)
        only = leading_to(self.snapshot, best.region.id)
        is_later = False
        for way in walk(self.snapshot, self.root, beyond=self.reach, only=only):
            if way.region.id != best.region.id or way.base != best.base:
                continue
            around.outside(way.lo, way.hi)
            is_later = is_later or _same(way, best)
            is_better = way.worth > best.worth or (way.worth == best.worth and not is_later)
            if is_better and not way.is_circular:
                around.outside(*self._claim(way))
        return self._loser(best, verdict, around.start, around.end)

    def _loser(self, way: Way, verdict: Verdict, start: int, end: int) -> Loser:
        region = way.region
        offset = self.address - way.base
        return Loser(
            id=region.id,
            name=region.name,
            type=region.type,
            offset=offset,
            reason=verdict.reason,
            by=RegionRef.to(verdict.by),
            against=RegionRef.to(verdict.loser),
            container=None if verdict.container is None else RegionRef.to(verdict.container),
            start=start,
            end=end,
            ram=ram_place(self.snapshot, region.name, region.type, offset),
            path=path_of(self.snapshot, way, self.address),
        )

    def _run(self, index: int, holds: Callable[[Way], bool]) -> tuple[int, int]:
        """Return the run of neighbouring ranges around one whose ways all satisfy ``holds``."""
        view = self.view
        first = last = index
        while first and view[first - 1].end == view[first].start and holds(view[first - 1].way):
            first -= 1
        while (
            last + 1 < len(view)
            and view[last].end == view[last + 1].start
            and holds(view[last + 1].way)
        ):
            last += 1
        return view[first].start, view[last].end


def _holds(span: tuple[int, int], address: int) -> bool:
    return span[0] <= address < span[1]


def _same(way: Way, other: Way) -> bool:
    """Tell whether two ways lead through the same regions to the same place."""
    return [step.region.id for step in way.steps()] == [step.region.id for step in other.steps()]


def _continues(way: Way, other: Way) -> bool:
    return (way.region.id, way.base, way.readonly, way.nonvolatile) == (
        other.region.id, other.base, other.readonly, other.nonvolatile,
    )  # fmt: skip
