"""What must hold of a memory system whenever no transaction is open."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.memory.map.flat_range import FlatRange, simplify
from guestmap.memory.map.flatview import FlatView
from guestmap.memory.map.render import render
from tests.memory import naive


def check_everything(system: MemorySystem, regions: Iterable[MemoryRegion]) -> None:
    """Check views, sharing and notes of a system that has these regions."""
    regions = list(regions)
    check_views(system)
    check_sharing(system)
    check_liveness(system, regions)
    check_routes(system, regions)
    for region in regions:
        check_children(region)


def check_shape(ranges: list[FlatRange]) -> None:
    """Sorted, disjoint, in 64 bits, joined wherever that is allowed."""
    assert all(0 <= r.start < r.end <= naive.TOP for r in ranges)
    for left, right in itertools.pairwise(ranges):
        assert left.end <= right.start
        assert not left.continues(right)


def check_views(system: MemorySystem) -> None:
    """Each view is what rendering its physical root from nothing gives."""
    for space in system.address_spaces:
        view = space.view
        check_shape(view.ranges)
        whole = simplify(render(naive.physical_root(space.root)))
        assert view.ranges == whole, f"{space.name}: {view.ranges} is not {whole}"
        check_lookup(view)


def check_lookup(view: FlatView) -> None:
    """A view's searches agree with its list."""
    ranges = view.ranges
    assert len(view) == len(ranges)
    for index, each in enumerate(ranges):
        assert view.find(each.start) is each
        assert view.find(each.end - 1) is each
        assert view.within(each.start, each.end) == [each]
        assert each not in view.within(each.end, each.end + 1)
        assert each in view.touching(each.end, each.end + 1)
        following = ranges[index + 1].start if index + 1 < len(ranges) else None
        assert view.next_start(each.start) == following
        if following is None or following > each.end:
            assert view.find(each.end) is None


def check_sharing(system: MemorySystem) -> None:
    """Address spaces share a view exactly if they have the same physical root."""
    by_root: dict[MemoryRegion | None, FlatView] = {}
    for space in system.address_spaces:
        root = naive.physical_root(space.root)
        assert space.view.root is root
        assert by_root.setdefault(root, space.view) is space.view
        assert space in space.source.users
    topology = system.topology
    assert set(topology.roots) == set(by_root)
    assert sum(len(root.users) for root in topology.roots.values()) == len(system.address_spaces)
    assert not topology.dirty
    assert not topology.rerouted
    assert not topology.left
    assert all(not root._windows for root in topology.roots.values())


def check_liveness(system: MemorySystem, regions: list[MemoryRegion]) -> None:
    """Regions count why they can show, and know the aliases that can show them."""
    roots = [root for root in system.topology.roots if root is not None]
    live: set[MemoryRegion] = set()
    todo = list(roots)
    while todo:
        region = todo.pop()
        if region not in live:
            live.add(region)
            todo += region.subregions
            if region.alias is not None:
                todo.append(region.alias)
    for region in regions:
        aliases = {each for each in live if each.alias is region}
        reasons = (region in roots) + (region.container in live) + len(aliases)
        assert region._live == (reasons if region in live else 0), region
        assert set(region._live_aliases) == aliases, region


def check_routes(system: MemorySystem, regions: list[MemoryRegion]) -> None:
    """Regions on the way of an address space to its view know who comes, and where to go."""
    expected: dict[MemoryRegion, set[object]] = {region: set() for region in regions}
    for space in system.address_spaces:
        comer: object = space
        for region in naive.route(space):
            expected.setdefault(region, set()).add(comer)
            comer = region
    for region, comers in expected.items():
        assert set(region._upstream) == comers, region
        hop = naive.next_hop(region) if comers else None
        assert region._hop is hop, region
        watched = {each for each, passing in expected.items() if passing and each.alias is region}
        assert set(region._route_aliases) == watched, region


def check_children(region: MemoryRegion) -> None:
    """Subregions are in rendering order, and found by address in that order."""
    children = region.subregions
    ranks = [(-child.priority, child._order[1]) for child in children]
    assert ranks == sorted(ranks)
    assert all(child.container is region for child in children)
    edges = sorted({e for c in children for e in (c.addr, c.addr + c.size)})
    for start, end in itertools.pairwise(edges):
        within = [c for c in children if c.addr < end and c.addr + c.size > start]
        assert region.children.within(start, end) == within
