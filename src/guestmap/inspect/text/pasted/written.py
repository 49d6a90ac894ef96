"""Blocks in QEMU's form again, each line with its number in the text.

A view is told by its ranges, whatever is left of its heading. In a tree the indentation counts:
what was added to all lines is taken off, what is left must be QEMU's two blanks for each level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.blocks import is_view, span
from guestmap.inspect.text.pasted.forms import CORE

if TYPE_CHECKING:
    from guestmap.inspect.text.pasted.blocks import Block
    from guestmap.inspect.text.pasted.prefixes import Line

Numbered = list[tuple[int, str]]


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
            (start, end), (lo, hi) = span(line), span(path[-1])
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
