"""Which concluded facts a flat view proves: with another value it would not be as it is."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from guestmap.inspect.text.rebuild.evidence import fork
from guestmap.inspect.text.rebuild.order import compared

if TYPE_CHECKING:
    from guestmap.inspect.map.ways import Way
    from guestmap.inspect.text.rebuild.draft import Draft
    from guestmap.inspect.text.rebuild.pairing import Pair
    from guestmap.inspect.text.rebuild.rendered import Rendered


def prove(draft: Draft, pairs: list[Pair], rendered: Rendered) -> None:
    """Note the facts that views prove, of all trees that show what their view does."""
    prover = _Prover(draft)
    judged: dict[int, _Filled] = {}
    for pair in pairs:
        if not rendered.differences(pair):
            root = rendered.leads_to(pair.root)
            if root not in judged:
                judged[root] = _Filled()
                for way in rendered.ways(root):
                    if way.region.alias is None:
                        prover.judge(way, judged[root])
            prover.judge_heads(rendered.heads(pair.root), judged[root])
    for region in draft.regions:
        if draft.is_open(region.id, "children"):
            found = compared(draft, region)
            ties = [frozenset((one.id, two.id)) for one, two in found.pairs]
            if ties and found.whole and all((region.id, tie) in prover.orders for tie in ties):
                draft.prove(region.id, "children")


class _Filled:
    """Who shows what so far: disjoint ranges, sorted."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.ways: list[Way] = []

    def within(self, lo: int, hi: int) -> slice:
        """Return the places of the ranges that reach into ``[lo, hi)``."""
        return slice(bisect_right(self.ends, lo), bisect_left(self.starts, hi))

    def gaps(self, lo: int, hi: int, here: slice) -> list[tuple[int, int]]:
        """Return what nobody shows of ``[lo, hi)``, into which the ranges at ``here`` reach."""
        if here.start == here.stop and lo < hi:
            return [(lo, hi)]
        gaps: list[tuple[int, int]] = []
        for start, end in zip(self.starts[here], self.ends[here], strict=True):
            if start > lo:
                gaps.append((lo, start))
            lo = end
        return [*gaps, (lo, hi)] if lo < hi else gaps

    def add(self, lo: int, hi: int, way: Way) -> None:
        """Let a way show a gap."""
        index = bisect_right(self.starts, lo)
        self.starts.insert(index, lo)
        self.ends.insert(index, hi)
        self.ways.insert(index, way)


class _Prover:
    """Goes through ways in rendering order.

    Attributes:
        orders: pairs of siblings, with their container, of which one is seen to hide the other.
    """

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.orders: set[tuple[int, frozenset[int]]] = set()
        self._seen = sorted({"terminates", "size"} & draft.opens)
        self._has_orders = "children" in draft.opens
        self._typed: set[Way] = set()
        self._writable: set[Way] = set()

    def judge(self, way: Way, filled: _Filled) -> None:
        """Prove what follows from a way, given what those before it show."""
        here = filled.within(way.lo, way.hi)
        visible = filled.gaps(way.lo, way.hi, here)
        if visible:  # it would be seen if it answered, and is seen if it does
            for name in self._seen:
                self.draft.prove(way.region.id, name)
        if not way.answers:
            return
        for other in filled.ways[here] if self._has_orders else ():
            parting = fork(other, way)
            if parting is not None:
                self.orders.add((parting[0], frozenset(parting[1:])))
        if visible:
            self._prove_way(way)
        for lo, hi in visible:
            filled.add(lo, hi, way)

    def judge_heads(self, heads: list[Way], filled: _Filled) -> None:
        """Prove what follows for regions that lead to others only, given what those show."""
        writable = any(not way.readonly for way in filled.ways)
        for way in reversed(heads):
            if way.region.alias is None:
                self.judge(way, filled)
            if filled.ways:
                self.draft.prove(way.region.id, "type")
            if writable:
                self.draft.prove(way.region.id, "readonly")

    def _prove_way(self, way: Way) -> None:
        if "type" in self.draft.opens:
            self._prove_steps(way, "type", self._typed)
        if not way.readonly:
            self._prove_steps(way, "readonly", self._writable)
            return
        readonly = [step.region.id for step in way.steps() if step.region.readonly]
        if len(readonly) == 1:  # it is seen to be read-only, and only one can be why
            self.draft.prove(readonly[0], "readonly")

    def _prove_steps(self, way: Way, name: str, done: set[Way]) -> None:
        """Prove a fact of all regions on a way; those above one that is done are done too."""
        step: Way | None = way
        while step is not None and step not in done:
            done.add(step)
            self.draft.prove(step.region.id, name)
            step = step.parent
