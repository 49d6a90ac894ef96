"""Our own model, written as QEMU writes its own."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

from guestmap.conform import VectorCase, build, read_case
from guestmap.inspect import AddressSpaceInfo, RegionInfo, Snapshot
from guestmap.inspect.map.capture import owner_of
from guestmap.inspect.text.mtree import write_flat, write_live_flat, write_live_mtree, write_mtree
from guestmap.memory import MemorySystem
from tests.support.mtree_text import blocks, blocks_any_space_order

if TYPE_CHECKING:
    from tests.support.corpus import Corpus


def tree_of(*regions: RegionInfo, names: tuple[str, ...] = ("memory",)) -> Snapshot:
    return Snapshot(regions, tuple(AddressSpaceInfo(name, 0) for name in names))


def test_a_model_built_from_golden_vectors_prints_qemus_text(golden: Corpus) -> None:
    texts = {
        name.rsplit("/", 1)[1]: json.loads(gzip.decompress(data))["texts"]
        for name, data in golden.files(".json.gz")
        if "/texts/" in name
    }
    vectors = [(n, d) for n, d in golden.files(".json.gz") if "/vectors/" in n]
    assert len(vectors) >= 4
    for name, data in vectors:
        case = read_case(gzip.decompress(data))
        assert isinstance(case, VectorCase)
        memory = build(case).memory
        snapshot = Snapshot.of(memory)
        said = texts[name.rsplit("/", 1)[1]]
        for flags, owner, disabled in (
            ("-o -D", True, True),
            ("-o", True, False),
            ("-D", False, True),
        ):
            for ours in (
                write_mtree(snapshot, owner=owner, disabled=disabled),
                write_live_mtree(memory, owner=owner_of if owner else None, disabled=disabled),
            ):
                assert blocks(ours) == blocks(said[flags]), f"{name} {flags}"
        for flags, owner in (("-f", False), ("-f -o", True)):
            expected = blocks_any_space_order(said[flags])
            for ours in (
                write_flat(snapshot, owner=owner),
                write_live_flat(memory, owner=owner_of if owner else None),
            ):
                assert blocks_any_space_order(ours) == expected, f"{name} {flags}"


def test_address_spaces_of_one_root_are_one_block_in_the_order_of_their_bytes() -> None:
    snapshot = tree_of(RegionInfo(0, "system", 0, 1 << 64), names=("memory", "Z", "cpu-memory-0"))
    assert write_mtree(snapshot).splitlines()[:4] == [
        "address-space: Z",
        "address-space: cpu-memory-0",
        "address-space: memory",
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system",
    ]


def test_children_go_by_address_then_priority_then_newest_first() -> None:
    snapshot = tree_of(
        RegionInfo(0, "root", 0, 0x10000, children=(1, 2, 3, 4)),
        RegionInfo(1, "high", 0x2000, 0x1000, priority=5),
        RegionInfo(2, "newer", 0x1000, 0x1000),
        RegionInfo(3, "older", 0x1000, 0x1000),
        RegionInfo(4, "low", 0x2000, 0x1000, priority=-1),
    )
    names = [line.rsplit(" ", 1)[1] for line in write_mtree(snapshot).splitlines()[2:-1]]
    assert names == ["newer", "older", "high", "low"]


def test_a_disabled_region_is_left_out_but_not_what_is_below_it() -> None:
    snapshot = tree_of(
        RegionInfo(0, "io", 0, 0x10000, children=(1,)),
        RegionInfo(1, "piix4-pm", 0x600, 0x40, enabled=False, children=(2,)),
        RegionInfo(2, "acpi-evt", 0, 4),
    )
    assert write_mtree(snapshot).splitlines()[2:] == [
        "      0000000000000600-0000000000000603 (prio 0, i/o): acpi-evt",
        "",
    ]
    assert write_mtree(snapshot, disabled=True).splitlines()[2:4] == [
        "    0000000000000600-000000000000063f (prio 0, i/o): piix4-pm [disabled]",
        "      0000000000000600-0000000000000603 (prio 0, i/o): acpi-evt",
    ]


def test_a_hidden_alias_still_queues_its_target_once() -> None:
    snapshot = tree_of(
        RegionInfo(0, "root", 0, 0x10000, children=(1, 2)),
        RegionInfo(1, "one", 0, 0x1000, alias=3, alias_offset=0x3000, enabled=False),
        RegionInfo(2, "two", 0x1000, 0x1000, alias=3),
        RegionInfo(3, "pc.bios", 0xFFFC0000, 0x40000, type="rom"),
    )
    assert write_mtree(snapshot).splitlines()[2:] == [
        f"    {0x1000:016x}-{0x1FFF:016x} (prio 0, i/o): alias two @pc.bios {0:016x}-{0xFFF:016x}",
        "",
        "memory-region: pc.bios",
        "  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios",
        "",
    ]


def test_an_address_that_wraps_is_pointed_out_before_the_indentation() -> None:
    snapshot = tree_of(
        RegionInfo(0, "root", 0x8000_0000_0000_0000, 1 << 63, children=(1,)),
        RegionInfo(1, "far", 0x8000_0000_0000_0000, 0x1000, nonvolatile=True, type="ram"),
    )
    assert write_mtree(snapshot).splitlines()[2] == (
        "[DETECTED OVERFLOW!]     0000000000000000-0000000000000fff (prio 0, nv-ram): far"
    )


def test_an_empty_region_ends_where_it_starts() -> None:
    snapshot = tree_of(RegionInfo(0, "nothing", 0x10, 0))
    assert "0000000000000010-0000000000000010 (prio 0, i/o): nothing" in write_mtree(snapshot)


def test_published_views_are_written_as_they_are_now() -> None:
    memory = MemorySystem()
    root, other = memory.container("root", 0x10000), memory.container("other", 0x10000)
    ram = memory.ram("ram", 0x2000)
    ram.set_nonvolatile(True)
    child = memory.alias("window", ram, 0x1000, 0x1000)
    root.add_subregion(0x4000, child)
    memory.address_space("memory", root)
    memory.address_space("cpu", memory.alias("cpu-root", root, 0, 0x10000))
    memory.address_space("off", other)
    other.set_enabled(False)
    assert write_live_flat(memory) == write_flat(Snapshot.of(memory))
    assert write_live_flat(memory).splitlines() == [
        "FlatView #0",
        ' AS "memory", root: root',
        ' AS "cpu", root: cpu-root, alias root',
        " Root memory region: root",
        "  0000000000004000-0000000000004fff (prio 0, nv-ram): ram @0000000000001000",
        "",
        "FlatView #1",
        ' AS "off", root: other',
        " Root memory region: (none)",
        "  No rendered FlatView",
        "",
    ]
    child.set_address(0x8000)
    assert "  0000000000008000-0000000000008fff" in write_live_flat(memory)
    assert write_live_flat(memory) == write_flat(Snapshot.of(memory))
