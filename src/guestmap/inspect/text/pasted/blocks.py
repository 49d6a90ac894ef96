"""Which lines of a listing make a block, whatever is left of its heading."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.forms import CORE

if TYPE_CHECKING:
    from guestmap.inspect.text.pasted.prefixes import Line

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


class ListingBuilder:
    """Takes the lines of a listing in their order.

    Attributes:
        tagged: whether no heading was a name alone, as QEMU has them up to 2.3.
    """

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._ended = True
        self._goes_on = False
        self.tagged = True
        self._shows_aliases = False
        self._is_named = False  # whether the last heading is a name alone

    @property
    def heads_no_targets(self) -> bool:
        """Whether no line stood above alias targets, as in QEMU 1.0: others may follow them."""
        return not self.tagged and not self._shows_aliases

    def end(self, *, blank: bool = False) -> None:
        """Note that a block may be over: the next line may begin another one.

        A blank line alone is QEMU's own, and what it puts behind one has a heading.
        """
        self._goes_on = blank and (self._goes_on or not self._ended)
        self._ended = True

    def head(self, line: Line) -> None:
        """Take a line of a heading."""
        self._is_named = False
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
        """Take a name alone on a line, as QEMU heads its trees up to 2.3."""
        self.tagged = False
        if line.text == "aliases":
            self._shows_aliases = True
            return
        kind = "memory-region" if self._shows_aliases else "address-space"
        self.head(line._replace(text=f"{kind}: {line.text}"))
        self._is_named = True

    def region(self, line: Line) -> None:
        """Take a region or a range."""
        if not self.blocks or (self._ended and self._is_other(self.blocks[-1], line)):
            if self._goes_on and self.blocks and self.blocks[-1].kind != "bare":
                fail(line.number, "a heading above this block, as the one before has", line.text)
            self.blocks.append(Block("bare"))
        if self._is_named and not self._shows_aliases and not self.blocks[-1].regions:
            _say_of_target(self.blocks[-1], line)
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
        last, first = span(block.regions[-1]), span(line)
        if block.kind == "tree" or (block.kind == "bare" and not is_view(block)):
            return line.indent <= block.regions[0].indent
        return first[0] <= last[1]


def _say_of_target(block: Block, root: Line) -> None:
    """Say of a name alone that it heads an alias's target, if so.

    It is the target's own name; up to 1.1 no line stands above those.
    """
    core = CORE.match(root.text)
    name = block.heads[-1].text.removeprefix("address-space: ")
    if core is not None and root.text[core.end() :] == name:
        block.heads[-1] = block.heads[-1]._replace(text=f"memory-region: {name}")


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
        start, end = span(line)
        is_of_tree = ": alias " in line.text or " [disabled]" in line.text
        if start <= reached or is_of_tree or line.indent != block.regions[0].indent:
            return False
        reached = end
    return True


def span(line: Line) -> tuple[int, int]:
    """Return the first and the last address of a region."""
    match = _SPANS.search(line.text)
    assert match is not None
    return int(match[1], 16), int(match[2], 16)
