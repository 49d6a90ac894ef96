"""Flat views as evidence: what must be so in the tree that they show what they show.

Wherever our rendering of the tree and QEMU's view differ, some open fact is wrong. The ways that
lead to the address, in rendering order, say which: whoever stands before the region that really
answers cannot answer there itself (it is a pure container, or empty), or was added earlier than a
sibling that leads to the answer, or is not what the alias shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING

from guestmap.inspect.map.shown import shown
from guestmap.inspect.map.ways import walk
from guestmap.inspect.text.rebuild.compare import ComparedRange, agrees, differences
from guestmap.inspect.text.rebuild.rendered import Rendered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.map.snapshot import RangeInfo
    from guestmap.inspect.map.ways import Way
    from guestmap.inspect.text.rebuild.draft import Draft
    from guestmap.inspect.text.rebuild.pairing import Pair

MAX_ROUNDS = 40
"""Each round corrects all that it finds; what hides behind a wrong fact needs the next one."""


def settle(draft: Draft, pairs: list[Pair]) -> Rendered:
    """Correct open facts until the tree shows what the views do, or nothing is left to correct.

    Returns:
        What the trees show in the end.
    """
    rendered = Rendered(draft)
    if not any(map(rendered.differences, pairs)):
        return rendered
    known = _answering(rendered, pairs)
    for region in known:
        if draft.is_open(region, "terminates"):
            draft.set(region, "terminates", True, "proven")
    for _ in range(MAX_ROUNDS):
        rendered = rendered.brought_up_to(draft)
        for pair in pairs:
            pieces = rendered.differences(pair)
            for piece, here in zip(pieces, _ways_at(pieces, rendered.ways(pair.root)), strict=True):
                _Correction(draft, known, pair, piece).apply(here)
        draft.sort_siblings()
        if draft.changes == rendered.changes:
            break
    return rendered.brought_up_to(draft)


def _ways_at(pieces: list[ComparedRange], ways: list[Way]) -> Iterator[list[Way]]:
    """Yield for each piece the ways that show its first address, in rendering order.

    Pieces come sorted, so one pass over the ways does: those that end below are dropped for good.
    """
    coming = sorted(enumerate(ways), key=lambda each: each[1].lo, reverse=True) if pieces else []
    here: list[tuple[int, Way]] = []
    for piece in pieces:
        while coming and coming[-1][1].lo <= piece.start:
            here.append(coming.pop())
        here = [each for each in here if each[1].hi > piece.start]
        yield [way for _, way in sorted(here, key=itemgetter(0)) if way.region.alias is None]


def _answering(rendered: Rendered, pairs: list[Pair]) -> set[int]:
    """Return the regions that a view shows to answer, where no other could be meant."""
    known: set[int] = set()
    for pair in pairs:
        by_place: dict[tuple[str, int], list[Way]] = {}
        for way in rendered.ways(pair.root):
            if way.region.alias is None:
                by_place.setdefault((way.region.name, way.base), []).append(way)
        for each in pair.view.ranges:
            ways = by_place.get((each.name, each.start - each.offset_in_region), [])
            meant = {way.region.id for way in ways if way.shows(each.start) and is_meant(way, each)}
            if len(meant) == 1:
                known |= meant
    return known


def is_meant(way: Way, said: RangeInfo) -> bool:
    """Tell whether a way leads to the region that a range names, so far as text tells regions."""
    region = way.region
    return (
        region.name == said.name
        and way.base == said.start - said.offset_in_region
        and region.priority == said.priority
        and (region.type == said.type or said.type == "rom")
        and (region.owner is None or said.owner is None or region.owner == said.owner)
    )


@dataclass(frozen=True, slots=True)
class _Correction:
    """One piece that differs, and the draft to correct.

    Attributes:
        known: regions of which it is proven that they answer.
        pair: the tree, and the view of it.
    """

    draft: Draft
    known: set[int]
    pair: Pair
    piece: ComparedRange

    def apply(self, here: list[Way]) -> None:
        """Correct what ``here``, the ways that show the piece in rendering order, allow."""
        said = self.piece.said
        meant = None if said is None else next((w for w in here if is_meant(w, said)), None)
        if said is None or meant is None:
            if not self._repoint() and said is None:
                for way in here:
                    if way.answers:
                        self._silence(way)
            return
        if self.draft.is_open(meant.region.id, "terminates"):
            self.draft.set(meant.region.id, "terminates", True, "proven")
        for way in here:
            if way is meant:
                break
            if way.answers:
                self._yield_to(way, meant)
        self._flags(meant, said)

    def _repoint(self) -> bool:
        """Let an alias show another region of the same name, where that gives what the view says.

        Only aliases that may mean several regions are tried, each alone; and where that puts one
        address right and others wrong, something else is the matter.
        """
        start = self.piece.start
        if "alias" not in self.draft.opens:
            return False
        snapshot = self.draft.current()
        wrong = self._count_wrong()
        for alias in sorted(
            way.region.id
            for way in walk(snapshot, self.pair.root, start, start + 1, disabled=False)
            if way.region.alias is not None and self.draft.is_open(way.region.id, "alias")
        ):
            shows = self.draft.regions[alias].alias
            for other in self._namesakes(shows):
                self.draft.set(alias, "alias", other, "guess")
                if self._is_right(start) and self._count_wrong() < wrong:
                    self.draft.set(alias, "alias", other, "proven")
                    return True
            self.draft.set(alias, "alias", shows, "guess")
        return False

    def _namesakes(self, shown_now: int | None) -> list[int]:
        if shown_now is None:
            return []
        name = self.draft.regions[shown_now].name
        return [r.id for r in self.draft.regions if r.name == name and r.id != shown_now]

    def _is_right(self, start: int) -> bool:
        """Tell whether the draft shows at an address what the view does."""
        ways = walk(self.draft.current(), self.pair.root, start, start + 1, disabled=False)
        way = next((way for way in ways if way.answers), None)
        return agrees(way, self.piece.said)

    def _count_wrong(self) -> int:
        """Return at how many places the draft does not show what the view does."""
        ours = shown(self.draft.current(), self.pair.root)
        return sum(1 for _ in differences(ours, self.pair.view.ranges))

    def _silence(self, way: Way) -> bool:
        """Let a region not answer here; tell whether that can be."""
        region = way.region
        if region.type == "i/o" and self.draft.is_open(region.id, "terminates"):
            self.draft.set(region.id, "terminates", False, "proven")
            return True
        for step in way.steps():
            here = step.region
            if here.size == 1 and not here.children and here.id not in self.known:
                self.draft.set(here.id, "size", 0, "proven")  # an empty region is printed so too
                return True
        return False

    def _yield_to(self, way: Way, meant: Way) -> None:
        """Let ``way`` not stand before ``meant``: by the order of siblings, or by silence."""
        parting = fork(way, meant)
        answers_surely = way.region.type != "i/o" or way.region.id in self.known
        is_device = answers_surely or not way.region.children
        by_order = parting is not None and is_device
        if not by_order and self._silence(way):
            return
        if parting is not None:
            self.draft.put_before(*parting, "proven")

    def _flags(self, meant: Way, said: RangeInfo) -> None:
        """Set who makes the range read-only, or who does not."""
        steps = [step.region.id for step in meant.steps()]
        readonly = [step for step in steps if self.draft.regions[step].readonly]
        if said.type == "rom" and not readonly:
            for step in reversed(steps):
                if self.draft.is_open(step, "readonly"):
                    self.draft.set(step, "readonly", True, "proven")
                    return
        if said.type != "rom":
            for step in readonly:
                self.draft.set(step, "readonly", False, "proven")


def fork(way: Way, meant: Way) -> tuple[int, int, int] | None:
    """Return (container, child to ``meant``, child to ``way``) where equal siblings part them."""
    above = None
    for step, other in zip(way.steps(), meant.steps(), strict=False):
        if step is not other:
            if above is None or above.region.alias is not None:
                return None
            if step.region.priority != other.region.priority:
                return None
            if step.region.addr == other.region.addr:
                return None  # then text has them in list order
            return above.region.id, other.region.id, step.region.id
        above = step
    return None
