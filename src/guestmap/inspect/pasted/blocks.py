"""A listing put together again from its lines, in QEMU's form, block by block.

A view is told by its ranges, whatever is left of its heading. In a tree the indentation counts:
what was added to all lines is taken off, what is left must be QEMU's two blanks for each level.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from guestmap.inspect.mtree.lines import fail
from guestmap.inspect.pasted.forms import CORE

if TYPE_CHECKING:
    from guestmap.inspect.pasted.prefixes import Line

Numbered = list[tuple[int, str]]
_SPANS = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})")


@dataclass
class Block:
    """One block of the listing.

    Attributes:
        kind: by its heading; ``bare`` where it has none.
        heads: the lines of its heading.
        regions: its regions or ranges.
        cuts: indexes in ``regions`` before which something was left out.
    """

    kind: Literal["tree", "view", "old view", "bare"]
    heads: list[Line] = field(default_factory=list)
    regions: list[Line] = field(default_factory=list)
    cuts: set[int] = field(default_factory=set)
    is_empty: bool = False


class Builder:
    """Takes the lines of a listing in their order."""

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._ended = True
        self._goes_on = False
        self._shows_aliases = False

    def end(self, *, blank: bool = False) -> None:
        """Note that a block may be over: the next line may begin another one.

        A blank line alone is QEMU's own, and what it puts behind one has a heading.
        """
        self._goes_on = blank and (self._goes_on or not self._ended)
        self._ended = True

    def head(self, line: Line) -> None:
        """Take a line of a heading."""
        kind: Literal["tree", "view", "old view"] = "view"
        if line.text.startswith("address-space (flat view): "):
            kind = "old view"
        elif line.text.startswith(("address-space: ", "memory-region: ")):
            kind = "tree"
        block = self.blocks[-1] if self.blocks else None
        if block is None or not _takes(block, kind, line):
            block = Block(kind)
            self.blocks.append(block)
        if line.text == "No rendered FlatView":
            if not block.heads:
                fail(line.number, "the heading of a view before this", line.text)
            block.is_empty = True
        else:
            block.heads.append(line)
        self._ended = False

    def name(self, line: Line) -> None:
        """Take a name alone on a line, as QEMU 1.x heads its trees."""
        if line.text == "aliases":
            self._shows_aliases = True
            return
        kind = "memory-region" if self._shows_aliases else "address-space"
        self.head(line._replace(text=f"{kind}: {line.text}"))

    def region(self, line: Line) -> None:
        """Take a region or a range."""
        if not self.blocks or (self._ended and self._is_other(self.blocks[-1], line)):
            if self._goes_on and self.blocks and self.blocks[-1].kind != "bare":
                fail(line.number, "a heading above this block, as the one before has", line.text)
            self.blocks.append(Block("bare"))
        self.blocks[-1].regions.append(line)
        self._ended = False

    def cut(self) -> None:
        """Note that lines are missing here."""
        if self.blocks:
            self.blocks[-1].cuts.add(len(self.blocks[-1].regions))

    def _is_other(self, block: Block, line: Line) -> bool:
        """Tell whether a region after a blank line does not go on with the block."""
        if not block.regions:
            return False
        last, first = _span(block.regions[-1]), _span(line)
        if block.kind == "tree" or (block.kind == "bare" and not is_view(block)):
            return line.indent <= block.regions[0].indent
        return first[0] <= last[1]


def _takes(block: Block, kind: str, line: Line) -> bool:
    """Tell whether a heading's line belongs to the block that is open."""
    if block.regions or block.is_empty or block.kind != kind or kind == "old view":
        return False
    if kind == "tree":
        return line.text.startswith("address-space: ") and all(
            head.text.startswith("address-space: ") for head in block.heads
        )
    rank = {"F": 0, "A": 1, "R": 2, "N": 3}
    last = rank[block.heads[-1].text[0]]
    now = rank[line.text[0]]
    return now > last or now == last == 1


def is_view(block: Block) -> bool:
    """Tell whether regions without a heading are a flat view: side by side, none in another."""
    reached = -1
    for line in block.regions:
        start, end = _span(line)
        is_of_tree = ": alias " in line.text or " [disabled]" in line.text
        if start <= reached or is_of_tree or line.indent != block.regions[0].indent:
            return False
        reached = end
    return True


def written(blocks: list[Block]) -> Numbered:
    """Return the lines in QEMU's form, each with its number in the text."""
    added = _added(blocks)
    found: Numbered = []
    for index, block in enumerate(blocks):
        if block.kind == "tree" or (block.kind == "bare" and not is_view(block)):
            found += _tree(block, added)
        else:
            found += _view(block, index)
        found.append((found[-1][0], ""))
    return found


def _added(blocks: list[Block]) -> int:
    """Return how many blanks were added before every region of the trees."""
    trees = [b for b in blocks if b.regions and (b.kind == "tree" or not is_view(b))]
    firsts = [block.regions[0] for block in trees if _shows_root(block)]
    if not firsts:
        return min((line.indent for block in trees for line in block.heads), default=0)
    added = min(line.indent for line in firsts) - 2
    for line in firsts:  # where blanks were taken away, they were so everywhere
        if added < 0 and line.indent != added + 2:
            fail(line.number, "the indentation of other trees' roots", line.text)
    return added


def _shows_root(block: Block) -> bool:
    """Tell whether the first region is the root: a disabled root is not printed without ``-D``."""
    head = block.heads[-1].text if block.heads else ""
    if not head.startswith("memory-region: "):
        return True
    core = CORE.match(block.regions[0].text)
    assert core is not None
    return block.regions[0].text[core.end() :].startswith(head.removeprefix("memory-region: "))


def _tree(block: Block, added: int) -> Numbered:
    heads = [(line.number, line.text) for line in block.heads]
    for line in block.regions:
        if line.quotes != block.regions[0].quotes:  # then its indentation is not what it was
            fail(line.number, f"{block.regions[0].quotes} quoting marks, as above", line.text)
    _check_around_cuts(block)
    if block.kind == "bare":
        root = block.regions[0]
        core = CORE.match(root.text)
        assert core is not None
        heads = [(root.number, f"memory-region: {root.text[core.end() :]}")]
    return heads + [(ln.number, " " * (ln.indent - added) + ln.text) for ln in block.regions]


def _check_around_cuts(block: Block) -> None:
    """Refuse a region of which what held it may have been left out.

    What stands above is believed to hold it where the region is of it, and of no part of it else.
    """
    path: list[Line] = []
    doubtful: list[Line] = []  # what stood above the cut
    for index, line in enumerate(block.regions):
        if index in block.cuts:
            doubtful = path[1:]
        path = [above for above in path if above.indent < line.indent]
        doubtful = [above for above in doubtful if above.indent < line.indent]
        if path and path[-1] in doubtful:
            (start, end), (lo, hi) = _span(line), _span(path[-1])
            if start < lo or end > hi:
                fail(line.number, "what holds this region, which was left out", line.text)
        path.append(line)


def _view(block: Block, index: int) -> Numbered:
    number = (block.heads or block.regions)[0].number
    found: Numbered = []
    if block.kind == "old view":
        found = [(line.number, line.text) for line in block.heads]
    else:
        if not any(line.text.startswith("FlatView") for line in block.heads):
            found.append((number, f"FlatView #{index}"))
        for line in block.heads:
            found.append((line.number, ("" if line.text[0] == "F" else " ") + line.text))
        if not any(line.text.startswith("Root ") for line in block.heads):
            found.append((number, " Root memory region: "))
    ranges = [(line.number, f"  {line.text}") for line in block.regions]
    return found + (ranges or [(found[-1][0], "  No rendered FlatView")])


def _span(line: Line) -> tuple[int, int]:
    match = _SPANS.search(line.text)
    assert match is not None
    return int(match[1], 16), int(match[2], 16)
