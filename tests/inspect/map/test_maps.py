"""Trees and flat views as the commands print them, and how much of each region is seen."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import assume, given

from guestmap.base import ConfigError
from guestmap.inspect.ask.flats import flat_blocks, with_views
from guestmap.inspect.ask.trees import tree_blocks
from guestmap.inspect.map.visible import visible_bytes
from guestmap.inspect.text.mtree import assemble, read_mtree, write_flat, write_mtree
from guestmap.memory import MemorySystem
from tests.inspect.naive import Naive, TooManyWaysError
from tests.inspect.snapshots import Builder, of_vector, pc, trees, vectors

SMALL = 128


@given(trees())
def test_visible_bytes_are_those_that_a_naive_resolver_reaches(snapshot):
    naive = Naive(snapshot, 0)
    seen: dict[int, set[int]] = defaultdict(set)
    try:
        for address in range(SMALL):
            winner = naive.at(address).winner
            if winner is not None:
                for region, base in zip(winner.path, winner.bases, strict=True):
                    seen[region].add(address - base)
    except TooManyWaysError:
        assume(False)
    expected = {region: len(offsets) for region, offsets in seen.items()}
    assert visible_bytes(snapshot, [0]) == expected


def test_bytes_seen_through_two_aliases_count_once():
    tree = Builder()
    root = tree.container("root", 0, 0x1000)
    ram = tree.region("ram", 0, 0x100, type="ram")
    tree.alias("low", 0, 0x80, ram, into=root)
    tree.alias("again", 0x200, 0x80, ram, 0x40, into=root)
    tree.space("memory", root)
    assert visible_bytes(tree.snapshot(), [root])[ram] == 0xC0


def test_blocks_come_as_qemu_prints_them_but_nothing_twice():
    snapshot = pc("rom").snapshot()
    printed = read_mtree(write_mtree(snapshot, disabled=True)).trees
    blocks = tree_blocks(snapshot, disabled=True)
    told = {block.nodes[0].name: block for block in blocks}
    inside = {node.id for block in blocks if block.spaces for node in block.nodes}
    for text in printed:
        if text.kind == "memory-region" and text.names[0] not in told:
            assert {r.id for r in snapshot.regions if r.name == text.names[0]} & inside
            continue
        block = told[text.lines[0].name]
        ours = [(n.level + 1, n.name, n.start, n.size, n.priority, n.enabled) for n in block.nodes]
        assert ours == [
            (line.level, line.name, line.start, line.size, line.priority, line.enabled)
            for line in text.lines
        ]
        if text.kind == "address-space":
            assert sorted(block.spaces) == sorted(text.names)


def test_regions_that_are_off_are_left_out_with_what_they_hold():
    tree = Builder()
    root = tree.container("root", 0, 0x1000)
    off = tree.container("off", 0, 0x100, into=root, enabled=False)
    tree.region("inside", 0, 0x10, into=off)
    tree.space("memory", root)
    snapshot = tree.snapshot()
    assert [node.name for node in tree_blocks(snapshot)[0].nodes] == ["root"]
    everything = tree_blocks(snapshot, disabled=True)[0].nodes
    assert [(node.name, node.is_hidden) for node in everything] == [
        ("root", True), ("off", True), ("inside", True),
    ]  # fmt: skip


def test_a_tree_as_deep_as_it_gets_is_no_trouble():
    memory = MemorySystem()
    inner = outer = memory.container("c0", 1 << 20)
    with memory.transaction():
        for number in range(1, 900):
            child = memory.container(f"c{number}", 1 << 20)
            inner.add_subregion(0, child)
            inner = child
    memory.address_space("memory", outer)
    from guestmap.inspect import Snapshot

    assert len(tree_blocks(Snapshot.of(memory))[0].nodes) == 900


def test_one_address_space_and_what_its_aliases_show():
    blocks = tree_blocks(pc("rom").snapshot(), space="memory")
    assert "memory" in blocks[0].spaces
    assert all(not block.spaces for block in blocks[1:])
    with pytest.raises(ConfigError, match="no address space 'x'"):
        tree_blocks(pc("rom").snapshot(), space="x")


FLAT_ONLY = (
    'FlatView #0\n AS "memory", root: system\n Root memory region: system\n'
    "  0000000000000000-0000000000000fff (prio 0, ram): ram\n"
    "  0000000000001000-0000000000001fff (prio 0, rom): rom\n"
    "  0000000000002000-0000000000004fff (prio 0, ram): ram @0000000000001000\n\n"
    'FlatView #1\n AS "I/O", root: io\n Root memory region: io\n'
    "  0000000000000000-000000000000ffff (prio 0, i/o): io\n"
)


def test_views_alone_have_no_trees_but_flats():
    snapshot = assemble(read_mtree(FLAT_ONLY), source="paste.txt")
    with pytest.raises(ConfigError, match=r"paste.txt has no region trees.*without -f"):
        tree_blocks(snapshot)
    memory, ports = flat_blocks(snapshot)
    assert (memory.spaces, memory.root, memory.mapped) == (("memory",), "system", 0x5000)
    assert list(memory.by_type.items()) == [("ram", 0x4000), ("rom", 0x1000)]
    assert ports.mapped == 0x10000
    assert flat_blocks(snapshot, space="I/O") == [ports]
    with pytest.raises(ConfigError, match="'x'; there are: I/O, memory"):
        flat_blocks(snapshot, space="x")
    assert write_flat(with_views(snapshot, space="I/O")).startswith('FlatView #0\n AS "I/O"')


def test_views_of_a_source_without_any_are_rendered_as_qemu_would(golden):
    """A recorded tree without its views: ours must be QEMU's, shared by the same spaces."""
    count = 0
    for _, case in vectors(golden):
        snapshot = with_views(of_vector(case))
        ours = {
            (tuple(sorted(user.name for user in view.users)), _ranges(view.ranges))
            for view in snapshot.views
        }
        theirs = {
            (tuple(sorted(name for name, _ in view.users)),
             tuple((v["start"], v["size"], v["name"], v["type"], v["offset_in_region"])
                   for v in (dict(zip(case.range_fields, r, strict=True)) for r in view.ranges)))
            for view in case.flatviews
        }  # fmt: skip
        assert ours == theirs
        count += 1
    assert count >= 5


def _ranges(ranges):
    return tuple((r.start, r.size, r.name, r.type, r.offset_in_region) for r in ranges)
