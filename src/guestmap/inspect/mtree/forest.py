"""Trees out of indented lines.

Without ``-D`` a disabled region has no line, yet what is below it has, one level deeper. A *hidden*
node stands for such a region. It shows itself by a step of two levels, by something below an alias
(which has no subregions), by an address out of order, or by one outside the region above.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from guestmap.base import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.mtree.lines import TreeLine
    from guestmap.inspect.mtree.read import TreeBlock

_MASK = (1 << 64) - 1


@dataclass(eq=False)
class Node:
    """A region on the way from text to snapshot.

    Attributes:
        line: what the text says, or None for a hidden region.
        start: address in the block: the printed one, or a guess for a hidden region.
        same: the node that this one is another print of.
        target: for an alias, the node that it shows.
        shape: a number that equal subtrees share.
    """

    line: TreeLine | None
    start: int = 0
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)
    name: str = "(hidden)"
    same: Node | None = None
    target: Node | None = None
    inferred: set[str] = field(default_factory=set)
    shape: int = -1

    def canonical(self) -> Node:
        """Return the node that stands for this region."""
        node = self
        while node.same is not None:
            node = node.same
        return node

    def walk(self) -> Iterator[Node]:
        """Yield the node and all below it, in print order."""
        stack = [self]
        while stack:
            node = stack.pop()
            yield node
            stack.extend(reversed(node.children))

    @property
    def addr(self) -> int:
        """Offset in the parent."""
        return (self.start - (self.parent.start if self.parent else 0)) & _MASK

    @property
    def priority(self) -> int:
        """The printed priority; 0 where there is no line."""
        return self.line.priority if self.line else 0

    @property
    def size(self) -> int:
        """The printed size; for a hidden region, what its children span."""
        if self.line:
            return self.line.size
        ends = [(child.start - self.start) % (_MASK + 1) + child.size for child in self.children]
        return min(max(ends, default=1), _MASK + 1)


def plant(block: TreeBlock, *, hides: bool) -> Node:
    """Return the root of a block's tree.

    Args:
        block: the lines.
        hides: whether disabled regions may be missing from the text.

    Raises:
        PeerError: the lines are no tree.
    """
    path: list[Node] = []
    root: Node | None = None
    for line in block.lines:
        if root is not None and line.level == 1:
            _fail(line, "one tree in a block: a line that is indented deeper")
        del path[line.level - 1 :]
        if not hides and len(path) < line.level - 1:
            _fail(line, f"an indentation of at most {len(path) + 1} levels")
        while len(path) < line.level - 1:
            path.append(_hidden_child(path[-1] if path else None, line))
            root = root or path[0]
        node = Node(line, line.start, name=line.name)
        if path:
            _attach(path, node, line, hides=hides)
        path.append(node)
        root = root or node
    if root is None:
        if not hides:
            raise PeerError(
                f"info mtree text, line {block.number}: expected a region after"
                f" '{block.kind}: {block.names[-1]}', found a blank line"
            )
        root = Node(None)
    if root.line is None and block.kind == "memory-region":
        root.name = block.names[0]
    return root


def place_hidden(root: Node) -> None:
    """Guess the addresses of hidden nodes so that print order keeps what the text shows."""
    for node in root.walk():
        for index, child in enumerate(node.children):
            if child.line is None:
                low = node.children[index - 1].start if index else node.start
                later = [sibling.start for sibling in node.children[index + 1 :] if sibling.line]
                first = child.children[0].start if child.children else low
                child.start = min(max(first, low), later[0] if later else _MASK)


def _attach(path: list[Node], node: Node, line: TreeLine, *, hides: bool) -> None:
    """Put a node below the last of the path, or below a hidden sibling of that one."""
    parent = path[-1]
    problem = _misfit(parent, node, certain=not hides)
    if problem and (not hides or (len(path) == 1 and parent.line)):
        _fail(line, problem)
    if problem and len(path) > 1:
        path[-1] = parent = _hidden_child(path[-2], line)
    node.parent = parent
    parent.children.append(node)


def _misfit(parent: Node, node: Node, *, certain: bool) -> str:
    """Tell why the node cannot be (or, where not certain, hardly is) a child of ``parent``."""
    if parent.line is None:
        before = parent.children[-1] if parent.children else None
        return "an address in order" if before and before.start > node.start else ""
    if parent.line.target is not None:
        return f"no region below the alias {parent.name!r}"
    offset = (node.start - parent.start) & _MASK
    if parent.children:
        before = parent.children[-1]
        last = (before.start - parent.start) & _MASK
        if (last, -before.priority) > (offset, -node.priority) and before.line:
            return f"siblings by address, then priority: not before {before.name!r}"
    if not certain and offset >= parent.size:
        return f"an address inside {parent.name!r}"
    return ""


def _hidden_child(parent: Node | None, line: TreeLine) -> Node:
    node = Node(None, line.start, parent=parent)
    if parent:
        parent.children.append(node)
    return node


def _fail(line: TreeLine, expected: str) -> None:
    raise PeerError(
        f"info mtree text, line {line.number}: expected {expected},"
        f" found {line.name!r} at {line.start:016x} on level {line.level}"
    )
