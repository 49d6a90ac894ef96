"""Which of several sections of one name an alias means: order, and likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.inspect.text.mtree.forest import Node
    from guestmap.inspect.text.mtree.lines import TreeLine


def choose(
    node: Node,
    candidates: Sequence[int],
    sections: Sequence[Node],
    found: set[int],
    *,
    hides: bool,
    by_order: bool,
) -> int:
    """Pick the section that an alias means.

    It is one that was met before, or the next in order; only where the text hides aliases, sections
    may have been skipped. Among those, the alias's owner and what is in its window tell.

    Args:
        node: the alias.
        candidates: indexes of the sections that bear the name.
        sections: all.
        found: indexes of those that some alias before this one means.
        hides: whether aliases may be missing from the text.
        by_order: look at nothing but order and type.
    """
    if len(candidates) == 1:
        return candidates[0]
    line = node.line
    assert line is not None
    following = next(i for i in range(len(sections) + 1) if i not in found)
    in_order = [i for i in candidates if i in found or i == following]
    if by_order:
        likely = _of_type(line, candidates, sections)
        return max(likely, key=lambda i: (i == following, i in found, i))
    likely = _likely(node, candidates if hides else in_order or candidates, sections)
    likely = [i for i in likely if i in in_order] or likely
    return max(likely, key=lambda i: (_shown_in(sections[i], line), i == following, i in found, i))


def _of_type(line: TreeLine, candidates: Sequence[int], sections: Sequence[Node]) -> Sequence[int]:
    """Return the sections that have the alias's word for the type, which is its target's.

    That tells regions of one name apart where one is RAM, or where one lies in no other.
    """
    lines = {i: sections[i].line for i in candidates}
    likely = [i for i, said in lines.items() if not said or said.word == line.word]
    return (
        likely or [i for i, said in lines.items() if said and said.type == line.type] or candidates
    )


def _likely(node: Node, candidates: Sequence[int], sections: Sequence[Node]) -> Sequence[int]:
    """Return the sections that an alias may well mean.

    No alias shows what holds it. Who owns an alias and one of the sections means that one: windows
    of bridges and devices into their own regions.
    """
    line = node.line
    assert line is not None
    likely = _of_type(line, candidates, sections)
    holders = _holders(node)
    likely = [i for i in likely if sections[i].canonical() not in holders] or likely
    if line.owner is None:
        return likely
    lines = {i: sections[i].line for i in likely}
    return [i for i, said in lines.items() if said and said.owner == line.owner] or likely


def _holders(node: Node) -> set[Node]:
    holders: set[Node] = set()
    above = node.parent
    while above is not None:
        holders.add(above.canonical())
        above = above.parent
    return holders


def _shown_in(section: Node, line: TreeLine) -> int:
    """Return how many regions in a section begin in the window of an alias.

    A window of one byte is an empty one: QEMU prints both alike.
    """
    if line.size == 1:
        return 0
    window = range(line.alias_offset, line.alias_offset + line.size)
    return sum(child.addr in window for child in (section.again or section).children)
