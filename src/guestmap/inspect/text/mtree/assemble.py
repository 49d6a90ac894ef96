"""Make a snapshot of the blocks of ``info mtree``.

Text names regions, a snapshot identifies them: see :mod:`guestmap.inspect.text.mtree.aliases`.
What text does not say is concluded here, and listed in ``RegionInfo.inferred``:

- ``terminates`` of an i/o region (false is assumed where it has subregions, true of a leaf);
- ``readonly`` of anything but RAM and ROM (false is assumed);
- ``children``: which of two overlapping siblings of equal priority is the newer one;
- everything about a region that is not printed because it is disabled.
"""

from __future__ import annotations

from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.map.snapshot import AddressSpaceInfo, RegionInfo, Snapshot
from guestmap.inspect.text.mtree.aliases import identify, resolve, stand_in
from guestmap.inspect.text.mtree.dialects import CONTAINER
from guestmap.inspect.text.mtree.forest import Node, plant, print_of

if TYPE_CHECKING:
    from guestmap.inspect.text.mtree.read import MtreeText, PrintedTree

_TWICE = "info mtree text: two texts show the trees, or two show the views"
_HIDDEN = ("name", "addr", "size", "priority", "type", "terminates", "readonly", "nonvolatile")


def assemble(
    *texts: MtreeText,
    source: str = "",
    version: str = "",
    complete: bool | None = None,
    partial: bool = False,
) -> Snapshot:
    """Return the snapshot that one or two texts of the same machine and moment give.

    Args:
        texts: with trees (``info mtree``, best with ``-D``), with views (``-f``), or one of each.
        source: where they come from, for people.
        version: QEMU's version, where it is known.
        complete: whether the trees show disabled regions too (``-D``, or a QEMU before 5.0, which
            has no such flag); None: they do where one is seen.
        partial: whether sections may be missing: what they would show is then known by name only
            (:mod:`guestmap.inspect.map.unshown`). Else that is an error.

    Raises:
        PeerError: the text contradicts itself or is cut off; the message says where.
    """
    with_trees = [text for text in texts if text.trees]
    with_views = [text for text in texts if text.views]
    if len(with_trees) > 1 or len(with_views) > 1:
        raise PeerError(_TWICE)
    regions: tuple[RegionInfo, ...] = ()
    spaces: tuple[AddressSpaceInfo, ...] = ()
    hides = False
    if with_trees:
        hides = not (with_trees[0].shows_disabled if complete is None else complete)
        regions, spaces = _regions(with_trees[0], hides=hides, partial=partial)
    views = with_views[0].views if with_views else ()
    dialect = next((text.dialect.name for text in texts if text.dialect), "")
    return Snapshot(
        regions, spaces, views,
        source=source, version=version, dialect=dialect, hides_disabled=hides,
    )  # fmt: skip


def beside(one: Snapshot, other: Snapshot) -> Snapshot:
    """Return what two texts give together that were assembled each for itself.

    Raises:
        PeerError: both show trees, or both show views.
    """
    if (one.regions and other.regions) or (one.views and other.views):
        raise PeerError(_TWICE)
    return replace(
        one,
        regions=one.regions or other.regions,
        address_spaces=one.address_spaces or other.address_spaces,
        views=one.views or other.views,
        dialect=one.dialect or other.dialect,
        hides_disabled=one.hides_disabled or other.hides_disabled,
    )


def _regions(
    text: MtreeText, *, hides: bool, partial: bool
) -> tuple[tuple[RegionInfo, ...], tuple[AddressSpaceInfo, ...]]:
    spaces = [
        (block, plant(block, hides=hides)) for block in text.trees if block.kind == "address-space"
    ]
    roots = [root for _, root in spaces]
    printed = {} if hides else {id(block.lines): root for block, root in spaces}
    sections = [
        print_of(printed[id(block.lines)])
        if id(block.lines) in printed
        else plant(block, hides=hides)
        for block in text.trees
        if block.kind == "memory-region"
    ]
    identify(roots, sections, stated=bool(text.dialect and text.dialect.parentless))
    if _prints_roots_again(text):
        _join_roots(roots)
    if partial:
        stand_in(roots, sections)
    resolve(roots, sections, hides=hides)
    ids = _number(roots + sections)
    return (
        tuple(_region(node, ids) for node in ids),
        tuple(_space(name, root, ids) for block, root in spaces for name in block.names),
    )


def _prints_roots_again(text: MtreeText) -> bool:
    """Tell whether each address space prints its tree, shared or not (before QEMU 5.0)."""
    blocks: list[PrintedTree] = [block for block in text.trees if block.kind == "address-space"]
    return len(blocks) > 1 and all(len(block.names) == 1 for block in blocks)


def _join_roots(roots: list[Node]) -> None:
    """Take equal trees for prints of one region where they hold a device, not just aliases."""
    first: dict[int, Node] = {}
    for root in roots:
        if any(n is not root and n.line and n.line.target is None for n in root.walk()):
            original = first.setdefault(root.shape, root)
            if original is not root:
                for again, node in zip(root.walk(), original.walk(), strict=True):
                    again.same = node


def _number(roots: list[Node]) -> dict[Node, int]:
    ids: dict[Node, int] = {}
    for root in roots:
        if root.same is None:
            for node in root.walk():
                ids.setdefault(node, len(ids))  # a tree may stand for a section, too
    return ids


def _space(name: str, root: Node, ids: dict[Node, int]) -> AddressSpaceInfo:
    return AddressSpaceInfo(name, ids[root.canonical()])


def _region(node: Node, ids: dict[Node, int]) -> RegionInfo:
    line = node.line
    children, tied = _list_order(node) if node.children else ([], False)
    inferred = node.inferred | {"children"} if tied else set(node.inferred)
    if line is None:
        return RegionInfo(
            id=ids[node],
            name=node.name,
            addr=node.addr,
            size=node.size,
            priority=node.priority,
            enabled=False,
            children=tuple(ids[child] for child in children),
            alias=None if node.target is None else ids[node.target],
            inferred=tuple(sorted({*inferred, *_HIDDEN})),
        )
    inferred |= {"type"} if line.type is None else set()
    region_type = line.type or "i/o"
    if region_type == "i/o" and node.target is None:
        inferred.add("terminates")
        if line.word == CONTAINER and line.level > 1 and not children:
            inferred.add("type")  # a word that says nothing of what lies in another region
    if node.target is not None or region_type not in ("ram", "rom"):
        inferred.add("readonly")
    return RegionInfo(
        id=ids[node],
        name=node.name,
        addr=node.addr,
        size=line.size,
        priority=line.priority,
        type=region_type,
        enabled=line.enabled,
        terminates=node.target is None and not (region_type == "i/o" and children),
        readonly=node.target is None and region_type == "rom",
        nonvolatile=line.nonvolatile,
        children=tuple(ids[child] for child in children),
        alias=None if node.target is None else ids[node.target],
        alias_offset=line.alias_offset,
        owner=line.owner,
        inferred=tuple(sorted(inferred)),
    )


def _list_order(node: Node) -> tuple[list[Node], bool]:
    """Order children by priority; tell whether print order hides who of two is newer."""
    placed = [(-child.priority, child.addr, child) for child in node.children]
    tied = False
    reach: dict[int, tuple[int, int]] = {}
    for priority, place, child in placed:
        end, addr = reach.get(priority, (0, -1))
        tied = tied or (place < end and place != addr)
        reach[priority] = max((end, addr), (place + child.size, place))
    return [child for _, _, child in sorted(placed, key=itemgetter(0))], tied
