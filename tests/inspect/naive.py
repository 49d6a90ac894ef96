"""The slow way to know who answers at one address: list every way to every region, then look.

Written from the rules alone (docs/devel/memory.rst of QEMU), with nothing shared with the package
but the snapshot's types: no windows, no pruning, one address at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect import Snapshot

BUDGET = 20_000


class TooManyWaysError(Exception):
    """The tree shows itself over and over."""


@dataclass(frozen=True)
class Claim:
    """One way to one region that claims the address, in rendering order."""

    path: tuple[int, ...]
    bases: tuple[int, ...]
    enabled: bool
    covered: tuple[bool, ...]
    width: int
    asks: bool
    in_windows: bool

    @property
    def reaches(self) -> bool:
        return all(self.covered)

    @property
    def key(self) -> tuple[int, int]:
        return self.path[-1], self.bases[-1]


@dataclass(frozen=True)
class Lost:
    path: tuple[int, ...]
    reason: str
    by: int
    against: int


@dataclass(frozen=True)
class Verdict:
    winner: Claim | None
    losers: frozenset[Lost]


class Above(NamedTuple):
    """A way so far: regions and where they begin, and what the regions on it leave of each other.

    Attributes:
        covered: of each, whether the address is inside.
        lo: where what all of them have begins.
        hi: where it ends.
    """

    way: tuple[tuple[int, int], ...] = ()
    covered: tuple[bool, ...] = ()
    lo: int = 0
    hi: int = 1 << 65
    enabled: bool = True


class Naive:
    """All claims below one root, one address at a time."""

    def __init__(self, snapshot: Snapshot, root: int, *, windows: bool = True) -> None:
        self.windows = windows  # whether what is behind an alias lays claims inside of it only
        self.regions = snapshot.regions
        self.root = root
        self.steps = 0
        self._known: dict[int, Verdict] = {}

    def at(self, address: int) -> Verdict:
        if address not in self._known:
            self._known[address] = self._at(address)
        return self._known[address]

    @cached_property
    def _seen(self) -> frozenset[int]:
        self.steps = 0
        return frozenset(self._shown(self.root, self.regions[self.root].addr, 0, 1 << 64, []))

    def _at(self, address: int) -> Verdict:
        seen = self._seen if self.windows else frozenset()
        self.steps = 0
        ways = self._ways(self.root, self.regions[self.root].addr, Above(), address)
        claims = [way for way in ways if way.asks]
        if self.windows:
            claims = [c for c in claims if c.in_windows or self._is_missed(c, seen)]
        winner = next((c for c in claims if c.enabled and c.reaches), None)
        there = {c.key for c in claims if c.reaches}
        losers = [self._lost(c, winner) for c in claims if c.reaches and c is not winner]
        cut: dict[tuple[int, int], Claim] = {}
        for c in claims:
            if c.key not in there and len(set(c.path)) == len(c.path):
                best = cut.get(c.key)
                if best is None or (c.enabled, c.width) > (best.enabled, best.width):
                    cut[c.key] = c
        losers += [self._lost(c, winner) for c in cut.values()]
        return Verdict(winner, frozenset(losers))

    def _is_missed(self, way: Claim, seen: frozenset[int]) -> bool:
        """Tell whether registers are cut off by a window, and no window shows any of them."""
        return self.regions[way.path[-1]].type == "i/o" and way.path[-1] not in seen

    def _lost(self, claim: Claim, winner: Claim | None) -> Lost:
        for id_, covered in zip(claim.path, claim.covered, strict=True):
            if not covered:
                return Lost(claim.path, "clipped", id_, claim.path[-1])
        for id_ in claim.path:
            if not self.regions[id_].enabled:
                return Lost(claim.path, "disabled", id_, claim.path[-1])
        assert winner is not None
        depth = 0
        while depth < len(claim.path) and claim.path[depth] == winner.path[depth]:
            depth += 1
        by = winner.path[depth]
        if depth == len(claim.path):
            return Lost(claim.path, "covered", by, claim.path[-1])
        mine, other = self.regions[claim.path[depth]], self.regions[by]
        assert other.priority >= mine.priority
        reason = "priority" if other.priority > mine.priority else "order"
        return Lost(claim.path, reason, by, mine.id)

    def _ways(self, id_: int, base: int, above: Above, address: int) -> Iterator[Claim]:
        self.steps += 1
        if self.steps > BUDGET:
            raise TooManyWaysError
        region = self.regions[id_]
        end = base + region.size
        here = Above(
            (*above.way, (id_, base)),
            (*above.covered, max(base, 0) <= address < end),
            max(above.lo, base),
            min(above.hi, end),
            above.enabled and region.enabled,
        )
        if above.way and self.regions[above.way[-1][0]].alias is not None:
            again = [b for i, b in above.way if i == id_]
            if again and (base in again or not all(here.covered)):
                return
        if region.alias is not None:
            yield from self._ways(region.alias, base - region.alias_offset, here, address)
            return
        for child in region.children:
            yield from self._ways(child, base + self.regions[child].addr, here, address)
        if region.terminates:
            yield Claim(
                tuple(i for i, _ in here.way),
                tuple(b for _, b in here.way),
                here.enabled,
                here.covered,
                max(0, here.hi - here.lo),
                self._claims(here.way, address),
                all(
                    covered
                    for (i, _), covered in zip(above.way, above.covered, strict=True)
                    if self.regions[i].alias is not None
                ),
            )

    def _shown(
        self, id_: int, base: int, lo: int, hi: int, above: list[tuple[int, int]]
    ) -> Iterator[int]:
        """Yield all of which a way leaves something."""
        self.steps += 1
        if self.steps > BUDGET:
            raise TooManyWaysError
        region = self.regions[id_]
        lo, hi = max(lo, base), min(hi, base + region.size)
        is_again = above and self.regions[above[-1][0]].alias is not None and (id_, base) in above
        if lo >= hi or is_again:
            return
        yield id_
        here = [*above, (id_, base)]
        if region.alias is not None:
            yield from self._shown(region.alias, base - region.alias_offset, lo, hi, here)
        for child in region.children:
            yield from self._shown(child, base + self.regions[child].addr, lo, hi, here)

    def _claims(self, here: tuple[tuple[int, int], ...], address: int) -> bool:
        """Tell whether the last region asks for the address: with it, the aliases it is behind."""
        for index in range(len(here) - 1, -1, -1):
            id_, base = here[index]
            if index < len(here) - 1 and self.regions[id_].alias is None:
                return True
            if not max(base, 0) <= address < base + self.regions[id_].size:
                return False
        return True
