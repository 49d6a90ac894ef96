"""Mistakes in the use of the memory interface: each is refused, by name, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestmap.base import ConfigError, FixedError, GuestmapError, StateError
from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionOps, MemorySystem, MemTxResult


class Bench:
    """A container with RAM and a device in it, shown by an address space."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.board = self.memory.container("board", 0x10000)
        self.ram = self.memory.ram("ram", 0x1000)
        self.uart = self.memory.io("uart", 16, MemoryRegionOps())
        self.loose = self.memory.io("loose", 16, MemoryRegionOps())
        self.board.add_subregion(0, self.ram)
        self.board.add_subregion(0x4000, self.uart)
        self.space = self.memory.address_space("memory", self.board)


@pytest.fixture
def bench() -> Bench:
    return Bench()


FIXED = {
    "alias": "fixed when",
    "children": "add_subregion",
    "container": "add_subregion",
    "dirty_log_mask": "dirty_logging",
    "freed": "free",
    "guard": "fixed when",
    "iommu": "fixed when",
    "name": "fixed when",
    "ops": "fixed when",
    "owner": "fixed when",
    "priority": "add_subregion",
    "ram": "fixed when",
    "ram_block": "fixed when",
    "ram_device": "fixed when",
    "rom_device": "fixed when",
    "system": "fixed when",
    "terminates": "fixed when",
}
SETTABLE = {
    "addr", "alias_offset", "discard_manager", "enabled", "nonvolatile", "readonly", "romd_mode",
    "size", "unmergeable",
}  # fmt: skip


@pytest.mark.parametrize("name", FIXED)
def test_a_fact_that_no_method_changes_cannot_be_assigned(bench: Bench, name: str) -> None:
    before = getattr(bench.ram, name)
    with pytest.raises(FixedError, match=f"'ram': '{name}' cannot be assigned.*{FIXED[name]}"):
        setattr(bench.ram, name, 0x100)
    assert getattr(bench.ram, name) is before
    assert issubclass(FixedError, AttributeError)


@pytest.mark.parametrize("name", [*FIXED, *sorted(SETTABLE), "_hop"])
def test_no_fact_can_be_deleted(bench: Bench, name: str) -> None:
    before = getattr(bench.ram, name)
    with pytest.raises(FixedError, match=f"'ram': '{name}' cannot be deleted"):
        delattr(bench.ram, name)
    assert getattr(bench.ram, name) is before


@pytest.mark.parametrize("name", ["alias_offset", "romd_mode"])
def test_a_fact_that_another_kind_of_region_has_cannot_be_assigned(bench: Bench, name: str) -> None:
    with pytest.raises(ConfigError, match="'ram' is not a"):
        setattr(bench.ram, name, 0)


def test_every_public_attribute_is_fixed_or_settable() -> None:
    slots = {name for each in MemoryRegion.__mro__ for name in getattr(each, "__slots__", ())}
    assert {name for name in slots if not name.startswith("_")} == set(FIXED) | SETTABLE


Act = Callable[[Bench], object]

MISTAKES: dict[str, tuple[Act, str]] = {
    "a size with a fraction": (
        lambda b: b.memory.ram("x", 4096 / 2),
        "'x': size 2048.0 is of type float",
    ),
    "a size that is text": (
        lambda b: b.memory.io("x", "16", None),
        "'x': size '16' is of type str",
    ),
    "no size": (
        lambda b: b.memory.container("x", None),
        "'x': size None is None",
    ),
    "a size of nothing": (
        lambda b: b.memory.rom("x", 0),
        "'x': size 0x0 is impossible",
    ),
    "a negative size": (
        lambda b: b.memory.alias("x", b.ram, 0, -1),
        "'x': size -0x1 is impossible",
    ),
    "a size beyond all": (
        lambda b: b.memory.container("x", 2**64 + 1),
        "'x': size 0x10000000000000001",
    ),
    "no name": (
        lambda b: b.memory.ram(None, 16),
        "name is text, not None",
    ),
    "a number for a name": (
        lambda b: b.memory.container(7, 16),
        "name is text, not of type int",
    ),
    "an offset that is text": (
        lambda b: b.board.add_subregion("0x100", b.loose),
        "'loose' to 'board': offset '0x100' is of",
    ),
    "no offset": (
        lambda b: b.board.add_subregion(None, b.loose),
        "offset None is None",
    ),
    "an offset beyond all": (
        lambda b: b.board.add_subregion(2**64, b.loose),
        "not an address",
    ),
    "a priority with a fraction": (
        lambda b: b.board.add_subregion(0, b.loose, 1.5),
        "'loose' to 'board': priority 1.5 is no",
    ),
    "a region that nobody made": (
        lambda b: MemoryRegion(b.memory, "x", 16),
        "made by a MemorySystem",
    ),
    "no region": (
        lambda b: b.board.add_subregion(0, "uart"),
        "cannot add 'uart' to 'board'",
    ),
    "a buffer that cannot be written": (
        lambda b: b.space.read_into(0, b"1234"),
        "'memory': cannot read into b'1234': give a bytearray",
    ),
    "no buffer": (
        lambda b: b.space.read_into(0, 4),
        "cannot read into 4: give",
    ),
    "more bytes than anything has": (
        lambda b: b.space.read(0, 1 << 70),
        "'memory': cannot read 1180591620717411303424 bytes",
    ),
    "fewer than none to be set": (
        lambda b: b.space.set(0, 0, -1),
        "'memory': cannot set -1 bytes",
    ),
    "a byte that is text": (
        lambda b: b.space.set(0, "a", 1),
        "'memory': byte 'a' is of type str",
    ),
    "an access of half a byte": (
        lambda b: b.space.access_valid(0, 0.5, False),
        "'memory': length 0.5 is of type float",
    ),
    "an access nowhere": (
        lambda b: b.space.access_valid(None, 4, False),
        "'memory': address None",
    ),
    "a translated address that is text": (
        lambda b: b.space.translate("0x10"),
        "'memory': address '0x10' is of type str",
    ),
    "a listener to let go that is none": (
        lambda b: b.space.unregister_listener(5),
        "'memory': listener 5 is of type int",
    ),
    "an unknown rule": (
        lambda b: b.board.add_subregion(0, b.loose, overlap="maybe"),
        "'maybe' is unknown",
    ),
    "an address with a fraction": (
        lambda b: b.uart.set_address(1.5),
        "'uart': 1.5 is of type float",
    ),
    "a new size that is text": (
        lambda b: b.ram.set_size("1"),
        "'ram': size '1' is of type str",
    ),
    "an alias offset with a fraction": (
        lambda b: b.memory.alias("a", b.ram, 0, 16).set_alias_offset(0.5),
        "'a': offset 0.5 is of",
    ),
    "an alias of an offset with a fraction": (
        lambda b: b.memory.alias("a", b.ram, 0.5, 16),
        "'a': offset 0.5 is of type float",
    ),
    "a function for callbacks": (
        lambda b: b.memory.io("x", 16, lambda _o, _s: 0),
        "'x': its callbacks are of type function: give a MemoryRegionOps",
    ),
    "no function for a callback": (
        lambda b: MemoryRegionOps(write=5),
        "the callback 'write' is 5: give a function",
    ),
    "an alias of nothing": (
        lambda b: b.memory.alias("a", None, 0, 16),
        "'a': None cannot be shown: give a region",
    ),
    "a space of nothing": (
        lambda b: b.memory.address_space("s", "board"),
        "'s': 'board' cannot be shown: give a region",
    ),
    "a load of 3 bytes": (
        lambda b: b.space.load(0x10, 3),
        "'memory': .* 3 bytes at 0x10",
    ),
    "a load of 3 bytes of a device": (
        lambda b: b.space.load(0x4000, 3),
        "3 bytes at 0x4000",
    ),
    "a load of 3 bytes through a cache": (
        lambda b: b.space.cache(0, 0x100, is_write=False).load(0, 3),
        "3 bytes at 0x0 are no number",
    ),
    "a store of 16 bytes through a cache": (
        lambda b: b.space.cache(0, 0x100, is_write=True).store(0, 16, 1),
        "16 bytes at 0x0 are no number",
    ),
    "text for a number, through a cache": (
        lambda b: b.space.cache(0, 0x100, is_write=True).store(0, 4, "1"),
        "cannot store '1'",
    ),
    "a read of fewer than no bytes": (
        lambda b: b.space.read(0x2000, -1),
        "'memory': cannot read -1 bytes",
    ),
    "a coalesced part that is text": (
        lambda b: b.memory.coalesced.add(b.uart, "0", 4),
        "'uart', coalesced: offset '0' is of type str",
    ),
    "a load of 16 bytes": (
        lambda b: b.space.load(0x10, 16),
        "16 bytes at 0x10",
    ),
    "a load of 17 bytes": (
        lambda b: b.space.load(0x3FFF, 17),
        "17 bytes at 0x3fff",
    ),
    "a load of nothing": (
        lambda b: b.space.load(0x10, 0),
        "0 bytes at 0x10",
    ),
    "a load of less": (
        lambda b: b.space.load(0x10, -1),
        "-1 bytes at 0x10",
    ),
    "a store of 3 bytes": (
        lambda b: b.space.store(0x10, 3, 1),
        "3 bytes at 0x10",
    ),
    "a store of 16 bytes": (
        lambda b: b.space.store(0x4000, 16, 1),
        "16 bytes at 0x4000",
    ),
    "a store of nothing": (
        lambda b: b.space.store(0x9000, 0, 1),
        "0 bytes at 0x9000",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(bench: Bench, mistake: str) -> None:
    act, message = MISTAKES[mistake]
    bench.space.load(0x4000, 1)  # remembered, as are stores: the short ways are to refuse as well
    bench.space.store(0x4000, 1, 0)
    bench.space.load(0x10, 4)
    before = [(each.start, each.end, each.region) for each in bench.space.view]
    with pytest.raises(ConfigError, match=message):
        act(bench)
    assert [(each.start, each.end, each.region) for each in bench.space.view] == before


def test_whole_numbers_of_other_types_are_numbers() -> None:
    class Number:
        def __index__(self) -> int:
            return 0x2000

    memory = MemorySystem()
    assert memory.ram("ram", Number()).size == 0x2000  # type: ignore[arg-type]


# -- what a callback returns -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("value", [None, "7", 1.5])
def test_a_callback_that_returns_no_number(bench: Bench, value: object, size: int) -> None:
    answers = [value]
    ops = MemoryRegionOps(read=lambda _offset, _size: answers[0])  # type: ignore[arg-type,return-value]
    bench.board.add_subregion(0x5000, bench.memory.io("bad", 16, ops))
    with pytest.raises(ConfigError, match=r"'bad'.* offset 0x4 .*returned"):
        bench.space.load(0x5004, size)
    answers[0] = 7
    assert bench.space.load(0x5004, size) == 7
    answers[0] = value
    for _ in range(2):  # remembered now
        with pytest.raises(ConfigError, match=r"'bad'.* offset 0x4 .*returned"):
            bench.space.load(0x5004, size)
    with pytest.raises(ConfigError, match="'bad'"):
        bench.space.read(0x5004, size)


@pytest.mark.parametrize("value", [None, 5])
def test_a_callback_with_attributes_that_returns_no_result(bench: Bench, value: object) -> None:
    ops = MemoryRegionOps(
        read_with_attrs=lambda _offset, _size, _attrs: value,  # type: ignore[arg-type,return-value]
        write_with_attrs=lambda _offset, _value, _size, _attrs: None,  # type: ignore[arg-type,return-value]
    )
    bench.board.add_subregion(0x5000, bench.memory.io("bad", 16, ops))
    with pytest.raises(ConfigError, match=r"'bad'.* offset 0x4 returned"):
        bench.space.load(0x5004, 4)
    with pytest.raises(ConfigError, match=r"'bad'.* writes of 4 bytes at offset 0x4 returned None"):
        bench.space.store(0x5004, 4, 7)


def test_a_mistake_inside_a_callback_stays_its_own(bench: Bench) -> None:
    ops = MemoryRegionOps(read=lambda offset, _size: offset + None)  # type: ignore[operator]
    bench.board.add_subregion(0x5000, bench.memory.io("bad", 16, ops))
    with pytest.raises(TypeError, match="NoneType"):
        bench.space.load(0x5004, 4)


# -- after the end ---------------------------------------------------------------------------------

AFTERWARDS: dict[str, Act] = {
    "load": lambda b: b.space.load(0, 4),
    "store": lambda b: b.space.store(0, 4, 1),
    "read": lambda b: b.space.read(0, 4),
    "write": lambda b: b.space.write(0, b"1"),
    "view": lambda b: b.space.view,
    "find": lambda b: b.space.find(0),
    "add": lambda b: b.board.add_subregion(0, b.loose),
    "a region": lambda b: b.memory.container("new", 16),
    "RAM": lambda b: b.memory.ram("new", 16),
    "a space": lambda b: b.memory.address_space("new", b.board),
    "buffer": lambda b: b.ram.buffer,
}


@pytest.mark.parametrize("use", AFTERWARDS)
def test_a_closed_system_refuses_every_use(bench: Bench, use: str) -> None:
    bench.space.load(0, 4)
    bench.memory.close()
    with pytest.raises(StateError, match="closed"):
        AFTERWARDS[use](bench)
    bench.memory.close()


# -- gaps and overlaps -----------------------------------------------------------------------------


def _place(container: MemoryRegion, *places: tuple[int, int]) -> None:
    for address, size in places:
        region = container.system.io(f"at {address:x}", size, None)
        container.add_subregion(address, region)


@pytest.mark.parametrize(
    ("size", "align", "expected"),
    [
        (1, 1, [(0x10, 0xF0), (0x180, 0x680), (0x900, 0x700)]),
        (0x100, 0x100, [(0x200, 0x600), (0x900, 0x700)]),
        (0x600, 0x100, [(0x200, 0x600), (0x900, 0x700)]),
        (0x601, 1, [(0x180, 0x680), (0x900, 0x700)]),
        (0x700, 1, [(0x900, 0x700)]),
        (0x701, 1, []),
        (1, 0x400, [(0x400, 0x400), (0xC00, 0x400)]),
        (1, 0x1000, []),
    ],
)
def test_gaps(size: int, align: int, expected: list[tuple[int, int]]) -> None:
    memory = MemorySystem()
    container = memory.container("pci", 0x1000)
    _place(
        container, (0x800, 0x100), (0x810, 8), (0, 0x10), (0x100, 0x40), (0x120, 0x60), (0xFFFF, 4)
    )
    assert [tuple(gap) for gap in container.gaps(size, align)] == expected
    for child in container.subregions:
        child.set_enabled(False)
    assert [tuple(gap) for gap in container.gaps(size, align)] == expected


def test_gaps_of_the_empty_and_the_full() -> None:
    memory = MemorySystem()
    container = memory.container("all", 1 << 64)
    assert [tuple(gap) for gap in container.gaps(1)] == [(0, 1 << 64)]
    _place(container, (0, 1 << 63), (1 << 63, 1 << 63))
    assert list(container.gaps(1)) == []
    for size, align in ((0, 1), (1, 0), (-1, 1), (1.5, 1), (1, "4K")):
        with pytest.raises(ConfigError, match=r"'all|all, alignment"):
            list(container.gaps(size, align))  # type: ignore[arg-type]


@pytest.mark.parametrize(("address", "refused"), [
    (0x0F0, False), (0x0F1, True), (0x100, True), (0x11F, True), (0x120, False),
    (0xFF0, False), (0xFF1, True), (0x1000, True)])  # fmt: skip
def test_an_overlap_that_is_refused(address: int, refused: bool) -> None:
    memory = MemorySystem()
    container = memory.container("bus", 0x1000)
    old, new = memory.io("old", 0x20, None), memory.io("new", 0x10, None)
    container.add_subregion(0x100, old)
    old.set_enabled(False)
    if refused:
        with pytest.raises(ConfigError, match="'new' to 'bus' at") as caught:
            container.add_subregion(address, new, 5, overlap="refuse")
        assert ("'old' (0x100-0x11f)" in str(caught.value)) is (address < 0x200)
        assert new.container is None
    else:
        container.add_subregion(address, new, overlap="refuse")
        assert new.addr == address


def test_errors_of_the_interface_are_guestmaps_own() -> None:
    assert issubclass(FixedError, GuestmapError)
    assert isinstance(MemTxResult.OK, int)
    assert AddressSpace.__doc__
