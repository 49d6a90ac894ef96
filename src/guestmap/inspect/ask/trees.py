"""The region trees of a snapshot, block by block as ``info mtree`` prints them, with what is seen.

One block for each root of address spaces, then one for each region that aliases show and that is
in no other block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.inspect.ask.spaces import Spaces
from guestmap.inspect.map.report import RegionRef, Report
from guestmap.inspect.map.snapshot import RegionType
from guestmap.inspect.map.visible import visible_bytes

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot


@dataclass(frozen=True, slots=True)
class TreeNode(Report):
    """A region, at its place in a tree.

    Attributes:
        level: how deep it is; the root is at 0. What it holds follows it, one level deeper.
        start: address in the block, modulo 2**64.
        visible: bytes of it that answer somewhere in the block's view (of an alias target: in any
            view). A container shows what is in it, an alias what it is an alias of.
        alias: whom it shows, from ``alias_offset`` on.
    """

    level: int
    id: int
    name: str
    start: int
    size: int
    type: RegionType
    priority: int
    enabled: bool
    nonvolatile: bool
    visible: int
    owner: str | None
    alias: RegionRef | None
    alias_offset: int

    @property
    def is_hidden(self) -> bool:
        """Whether nothing of it is seen."""
        return self.visible == 0


@dataclass(frozen=True, slots=True)
class TreeBlock(Report):
    """One tree.

    Attributes:
        spaces: the address spaces that see it; none: it is what aliases in other trees show.
        nodes: each before what it holds; siblings by address, then priority, highest first.
    """

    spaces: tuple[str, ...]
    nodes: tuple[TreeNode, ...]


def tree_blocks(
    snapshot: Snapshot, *, space: str | None = None, disabled: bool = False
) -> list[TreeBlock]:
    """Return the trees of all address spaces, or of one, and what aliases in them show besides.

    Args:
        snapshot: the map.
        space: name of an address space; None: all.
        disabled: with regions that are off, and what they hold; else both are left out.

    Raises:
        ConfigError: there is no such address space, or the snapshot has no trees at all.
    """
    if not snapshot.regions:
        raise ConfigError(
            f"{snapshot.source or 'the map'} has no region trees, only flat views: take 'info"
            " mtree' without -f"
        )
    spaces = Spaces(snapshot)
    groups: dict[int, list[str]] = {}
    for each in spaces.all if space is None else spaces.named(space):
        if each.root is not None:
            groups.setdefault(each.root, []).extend([] if each.is_lone else [each.name])
    blocks: list[TreeBlock] = []
    targets: list[int] = []
    for root, names in groups.items():
        grower = _Grower(snapshot, visible_bytes(snapshot, [root]), targets, disabled=disabled)
        blocks.append(TreeBlock(tuple(names), grower.grow(root)))
    seen = visible_bytes(snapshot, list(groups))
    grower = _Grower(snapshot, seen, targets, disabled=disabled)
    printed = {node.id for block in blocks for node in block.nodes}
    for target in targets:  # grows while aliases are met
        if target not in printed:
            printed.add(target)
            blocks.append(TreeBlock((), grower.grow(target)))
    return blocks


@dataclass(frozen=True, slots=True)
class _Grower:
    snapshot: Snapshot
    visible: dict[int, int]
    targets: list[int]
    disabled: bool

    def grow(self, root: int) -> tuple[TreeNode, ...]:
        """Return the nodes of the tree below ``root``."""
        nodes: list[TreeNode] = []
        stack = [(self.snapshot.regions[root], 0, 0)]
        while stack:
            region, level, base = stack.pop()
            node = self._node(region, level, base)
            nodes.append(node)
            children = self._children(region)
            stack.extend((child, level + 1, node.start) for child in reversed(children))
        return tuple(nodes)

    def _node(self, region: RegionInfo, level: int, base: int) -> TreeNode:
        target = None if region.alias is None else self.snapshot.regions[region.alias]
        if target is not None:
            self.targets.append(target.id)
        return TreeNode(
            level=level,
            id=region.id,
            name=region.name,
            start=(base + region.addr) % ADDRESS_SPACE_SIZE,
            size=region.size,
            type=region.type,
            priority=region.priority,
            enabled=region.enabled,
            nonvolatile=region.nonvolatile,
            visible=self.visible.get(region.id, 0),
            owner=region.owner,
            alias=None if target is None else RegionRef.to(target),
            alias_offset=region.alias_offset,
        )

    def _children(self, region: RegionInfo) -> list[RegionInfo]:
        children = [self.snapshot.regions[child] for child in region.children]
        children = [child for child in children if child.enabled or self.disabled]
        return sorted(children, key=lambda child: (child.addr, -child.priority))
