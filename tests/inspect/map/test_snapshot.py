from __future__ import annotations

import json

import msgspec
import pytest

from guestmap.base import PeerError
from guestmap.inspect import RangeInfo, RegionInfo, Snapshot, ViewUser
from guestmap.memory import MemorySystem


def small_machine() -> MemorySystem:
    memory = MemorySystem()
    system = memory.container("system", 1 << 64)
    ram = memory.ram("pc.ram", 0x20000, owner="owner:{obj path=/objects/pc.ram}")
    low = memory.alias("ram-below-4g", ram, 0, 0x20000)
    window = memory.alias("pam-rom", ram, 0x8000, 0x1000)
    system.add_subregion(0, low)
    system.add_subregion(0x8000, window, 1)
    window.set_readonly(True)
    memory.address_space("memory", system)
    memory.address_space("cpu-memory-0", system)
    off = memory.container("bus master container", 1 << 64)
    off.add_subregion(0, memory.alias("bus master", system, 0, 1 << 64))
    off.subregions[0].set_enabled(False)
    memory.address_space("nic", off)
    return memory


def test_of_our_model_holds_trees_spaces_views_and_ram() -> None:
    snapshot = Snapshot.of(small_machine())
    by_name = {region.name: region for region in snapshot.regions}
    system = by_name["system"]
    assert [snapshot.regions[i].name for i in system.children] == ["pam-rom", "ram-below-4g"]
    assert by_name["pam-rom"].alias == by_name["pc.ram"].id
    assert by_name["pam-rom"].alias_offset == 0x8000
    assert by_name["pam-rom"].type == "ram"
    assert [(s.name, s.root) for s in snapshot.address_spaces] == [
        ("memory", system.id),
        ("cpu-memory-0", system.id),
        ("nic", by_name["bus master container"].id),
    ]
    shared, empty = snapshot.views
    assert shared.users == (ViewUser("memory", "system"), ViewUser("cpu-memory-0", "system"))
    owner = "owner:{obj path=/objects/pc.ram}"
    ram = by_name["pc.ram"].id
    assert shared.ranges == (
        RangeInfo(0, 0x8000, 0, "ram", "pc.ram", 0, owner=owner, region=ram),
        RangeInfo(0x8000, 0x1000, 0, "rom", "pc.ram", 0x8000, owner=owner, region=ram),
        RangeInfo(0x9000, 0x17000, 0, "ram", "pc.ram", 0x9000, owner=owner, region=ram),
    )
    assert empty.root is None
    assert empty.ranges == ()
    assert [(b.name, b.offset, b.used_length) for b in snapshot.ram_blocks] == [
        ("pc.ram", 0, 0x20000)
    ]


def test_json_round_trips_through_text() -> None:
    snapshot = Snapshot.of(small_machine())
    assert Snapshot.from_json(json.loads(json.dumps(snapshot.to_json()))) == snapshot


def test_json_names_its_format() -> None:
    form = Snapshot().to_json()
    assert (form["format"], form["format_version"]) == ("guestmap.snapshot", 1)


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (("regions", 0, "size"), "big", r"\$\.regions\[0\]\.size"),
        (("regions", 0, "size"), (1 << 64) + 1, r"\$\.regions\[0\]\.size is 18446744073709551617"),
        (("regions", 2, "addr"), -1, r"\$\.regions\[2\]\.addr is -1"),
        (("regions", 1, "alias_offset"), 1 << 64, r"\$\.regions\[1\]\.alias_offset"),
        (("regions", 1, "alias"), 6, r"\$\.regions\[1\]\.alias is 6, and there are 6 regions"),
        (("regions", 1, "id"), 7, r"\$\.regions\[1\]\.id is 7"),
        (("regions", 1, "sureness"), ["guess"], r"\$\.regions\[1\]\.sureness"),
        (("regions", 0, "children"), [1, 99], r"\$\.regions\[0\]\.children\[1\] is 99"),
        (("regions", 0, "children"), [1, 1], "in two containers"),
        (("regions", 3, "children"), [3], "contains itself"),
        (("regions", 1, "children"), [2], "is an alias and has children"),
        (
            ("address_spaces", 1, "root"),
            99,
            r"\$\.address_spaces\[1\]\.root is 99, and there are 6",
        ),
        (("views", 0, "root_region"), -1, r"\$\.views\[0\]\.root_region is -1"),
        (("views", 0, "ranges", 1, "region"), 6, r"\$\.views\[0\]\.ranges\[1\]\.region is 6"),
        (
            ("views", 0, "ranges", 0, "start"),
            -1,
            r"\$\.views\[0\]\.ranges\[0\] is at -0x1, 32 KiB;",
        ),
        (("views", 0, "ranges", 2, "size"), 1 << 64, r"\$\.views\[0\]\.ranges\[2\] is at 0x9000"),
        (("views", 0, "ranges", 0, "offset_in_region"), -5, r"\.offset_in_region is -0x5"),
        (
            ("views", 0, "ranges", 1, "offset_in_region"),
            (1 << 64) - 1,
            r"ranges\[1\]\.offset_in_region is 0xffffffffffffffff; expected room for 4 KiB",
        ),
        (("views", 0, "ranges", 2, "size"), 0, r"\$\.views\[0\]\.ranges\[2\]\.size is 0"),
        (
            ("views", 0, "ranges", 0, "size"),
            0x8001,
            r"ranges\[1\]\.start is 0x8000; .* ends at 0x8001",
        ),
        (("views", 0, "ranges", 2, "start"), 0x7FFF, r"ranges\[2\]\.start is 0x7fff"),
        (("format_version",), 2, "version 1"),
    ],
)
def test_a_form_that_breaks_the_rules_is_refused(
    path: tuple[str | int, ...], value: object, complaint: str
) -> None:
    form = Snapshot.of(small_machine()).to_json()
    names = [region["name"] for region in form["regions"]]
    assert names[:4] == ["system", "pam-rom", "ram-below-4g", "bus master container"]
    place = form
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(PeerError, match=complaint):
        Snapshot.from_json(form)


def test_a_ring_of_many_regions_is_found_and_a_chain_of_many_is_none() -> None:
    """One look at each region: no recursion, and no walk to the root from each."""
    count = 100_000
    chain = [
        RegionInfo(i, "c", 0, 1, children=(i + 1,) if i + 1 < count else ()) for i in range(count)
    ]
    Snapshot(tuple(chain)).check()
    ring = [*chain[:-1], msgspec.structs.replace(chain[-1], children=(0,))]
    with pytest.raises(PeerError, match="contains itself"):
        Snapshot(tuple(ring)).check()
