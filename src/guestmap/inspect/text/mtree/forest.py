"""Trees out of indented lines.

Without ``-D`` a disabled region has no line, yet what is below it has, one level deeper. A *hidden*
node stands for such a region. It shows itself by a step of two levels, by something below an alias
(which has no subregions), by an address out of order, or by one outside the region above.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

from guestmap.base import PeerError

if TYPE_CHECKING:
    from guestmap.inspect.text.mtree.lines import TreeLine
    from guestmap.inspect.text.mtree.read import PrintedTree

_MASK = (1 << 64) - 1


@dataclass(eq=False, slots=True)
class Node:
    """A region on the way from text to snapshot.

    Attributes:
        line: what the text says, or None for a hidden region.
        start: address in the block: the printed one, or a guess for a hidden region.
        same: the node that this one is another print of.
        target: for an alias, the node that it shows.
        shape: a number that equal subtrees share.
        walked: what :meth:`walk` returned last; of a root, while nothing is planted below it.
        again: the tree that is printed here once more, word for word; what is below is not planted
            then.
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
    again: Node | None = None
    walked: list[Node] | None = None

    def canonical(self) -> Node:
        """Return the node that stands for this region."""
        node = self
        while node.same is not None:
            node = node.same
        return node

    def walk(self) -> list[Node]:
        """Return the node and all below it, in print order."""
        if self.walked is not None:
            return self.walked
        nodes: list[Node] = []
        stack = [self]
        while stack:
            node = stack.pop()
            nodes.append(node)
            if node.children:
                stack += node.children[::-1]
        if self.parent is None:
            self.walked = nodes
        return nodes

    @property
    def addr(self) -> int:
        """Offset in the parent."""
        parent = self.parent
        return (self.start if parent is None else self.start - parent.start) & _MASK

    def addr_in(self, parent: Node | None) -> int:
        """Return the offset that the node has, or would have, in ``parent``."""
        return (self.start - (parent.start if parent else 0)) & _MASK

    @property
    def priority(self) -> int:
        """The printed priority; of a hidden region one that keeps it where print order has it."""
        if self.line:
            return self.line.priority
        siblings = self.parent.children if self.parent else [self]
        index = siblings.index(self)
        before = siblings[index - 1] if index else None
        if before is not None and before.start == self.start:
            return before.priority
        after = next((s for s in siblings[index + 1 :] if s.line), None)
        return after.priority if after is not None and after.start == self.start else 0

    @property
    def size(self) -> int:
        """The printed size; for a hidden region, what its children span."""
        if self.line:
            return self.line.size
        ends = [(child.start - self.start) % (_MASK + 1) + child.size for child in self.children]
        return min(max(ends, default=1), _MASK + 1)


def plant(block: PrintedTree, *, hides: bool) -> Node:
    """Return the root of a block's tree, hidden regions in their places.

    Args:
        block: the lines.
        hides: whether disabled regions may be missing from the text.

    Raises:
        PeerError: the lines are no tree.
    """
    root = _grow(block, hides=hides, outside=False)
    if hides and not _is_in_order(root):
        # A region may lie outside the one that it is in after all.
        root = _grow(block, hides=hides, outside=True)
        if not _is_in_order(root):
            raise PeerError(
                f"info mtree text, line {block.number}: cannot tell which disabled regions are"
                " left out of this tree: take the text with -D"
            )
    return root


def print_of(tree: Node) -> Node:
    """Return a node for a section that prints a tree of an address space once more."""
    return Node(tree.line, tree.start, name=tree.name, again=tree)


def plant_again(section: Node) -> None:
    """Plant what a section prints once more, as a tree of its own."""
    if section.again is None:
        return
    todo = [(section.again, section)]
    section.again = section.walked = None
    while todo:
        tree, made = todo.pop()
        for child in tree.children:
            copy = Node(child.line, child.start, made, name=child.name, shape=child.shape)
            made.children.append(copy)
            todo.append((child, copy))


def _grow(block: PrintedTree, *, hides: bool, outside: bool) -> Node:
    """Return the root; ``outside``: believe that a child may lie where its parent ends."""
    path: list[Node] = []
    root: Node | None = None
    for line in block.lines:
        if root is not None and line.level == 1:
            _fail(line, "one tree in a block: a line that is indented deeper")
        del path[line.level - 1 :]
        if not hides and len(path) < line.level - 1:
            _fail(line, f"an indentation of at most {len(path) + 1} levels")
        while len(path) < line.level - 1:
            _descend(path, line)
            root = root or path[0]
        node = Node(line, line.start, name=line.name)
        if path:
            _attach(path, node, line, hides=hides, outside=outside)
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
    if hides:
        _place_hidden(root)
    return root


def _is_in_order(root: Node) -> bool:
    """Tell whether every node's children are in print order."""
    for node in root.walk():
        places = [(child.addr, -child.priority) for child in node.children]
        if any(one > two for one, two in pairwise(places)):
            return False
    return True


def _place_hidden(root: Node) -> None:
    """Guess the addresses of hidden nodes: none above what is below it, or printed after it."""
    lowest: dict[Node, int] = {}
    for node in reversed(root.walk()):
        below = [lowest[child] for child in node.children]
        lowest[node] = node.start if node.line else min(below, default=node.start)
    if root.line is None:
        root.start = lowest[root]
    for node in root.walk():
        limit = _MASK
        for child in reversed(node.children):
            limit = min(limit, child.start if child.line else lowest[child])
            child.start = child.start if child.line else limit


def _attach(path: list[Node], node: Node, line: TreeLine, *, hides: bool, outside: bool) -> None:
    """Put a node below the last of the path, or below a hidden sibling of that one."""
    parent = path[-1]
    problem = _contradiction(parent, node)
    if problem and (not hides or len(path) == 1):
        _fail(line, problem)
    if len(path) > 1 and (problem or (hides and not outside and _is_outside(parent, node))):
        path.pop()
        _descend(path, line)
        parent = path[-1]
    node.parent = parent
    parent.children.append(node)


def _descend(path: list[Node], line: TreeLine) -> None:
    """Append a hidden node to the path, below its last node or a hidden sibling of that one."""
    if path and not _may_hold_hidden(path[-1], line):
        if len(path) == 1:
            _fail(line, f"a region that can be below {path[-1].name!r}")
        path.pop()
        _descend(path, line)
    parent = path[-1] if path else None
    node = Node(None, line.start, parent=parent)
    if parent:
        parent.children.append(node)
    path.append(node)


def _may_hold_hidden(parent: Node, line: TreeLine) -> bool:
    """Tell whether a hidden region above ``line`` can be the next child of ``parent``."""
    if parent.line is not None and parent.line.target is not None:
        return False
    shown = [child.start for child in parent.children if child.line]
    return not shown or shown[-1] <= line.start


def _contradiction(parent: Node, node: Node) -> str:
    """Tell why the node cannot be the next child of ``parent``; "" where it can."""
    if parent.line is not None and parent.line.target is not None:
        return f"no region below the alias {parent.name!r}"
    before = parent.children[-1] if parent.children else None
    if before is None or before.line is None:
        return ""
    if parent.start <= before.start < node.start:  # what is nearly always so
        return ""
    place, last = node.start, before.start
    if parent.line is not None:  # of a hidden parent only the order of what is below it is known
        place, last = node.addr_in(parent), before.addr
    if (last, -before.priority) > (place, -node.priority):
        return f"siblings by address, then priority: not before {before.name!r}"
    return ""


def _is_outside(parent: Node, node: Node) -> bool:
    """Tell whether a node lies where ``parent`` cannot show it: then it is hardly its child."""
    return parent.line is not None and node.addr_in(parent) >= parent.size


def _fail(line: TreeLine, expected: str) -> None:
    raise PeerError(
        f"info mtree text, line {line.number}: expected {expected},"
        f" found {line.name!r} at {line.start:016x} on level {line.level}"
    )
