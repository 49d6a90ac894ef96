"""Every public mutator, with every argument of a wrong kind, and after the end: one clear error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.memory import Endianness, MemoryListener, MemoryRegion, MemoryRegionOps, MemorySystem
from guestmap.memory.hear.coalesced import CoalescedMmio
from guestmap.memory.hear.dirty_log import DirtyLogging
from guestmap.memory.hear.ioeventfd import EventNotifier
from guestmap.memory.hear.ioeventfds import IoEventFds
from guestmap.memory.map.discard import RamDiscardListener, RamDiscardManager
from guestmap.memory.map.iommu import Iommu, IommuNotifier, IommuTranslator
from guestmap.memory.map.iommu_entry import IommuEntry, IommuNotify, IommuPerm
from guestmap.memory.ram.dirty import DirtyClient

RAM_BYTES = 0x4000


class Nowhere(IommuTranslator):
    """Translates nothing."""

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        return None


class Machine:
    """One of each kind of region, and what hears of them."""

    def __init__(self) -> None:
        self.memory = memory = MemorySystem()
        self.board = memory.container("board", 0x10000)
        self.ram = memory.ram("ram", RAM_BYTES)
        self.uart = memory.io("uart", 16, MemoryRegionOps())
        self.loose = memory.io("loose", 16, MemoryRegionOps())
        self.alias = memory.alias("alias", self.ram, 0, 16)
        self.flash = memory.rom_device("flash", 0x1000, MemoryRegionOps())
        self.dma = memory.iommu("dma", 0x1000, Nowhere())
        self.spare = memory.ram("spare", RAM_BYTES)
        self.board.add_subregion(0, self.ram)
        self.board.add_subregion(0x5000, self.uart)
        self.board.add_subregion(0x6000, self.alias)
        self.board.add_subregion(0x8000, self.flash)
        self.board.add_subregion(0xA000, self.dma)
        self.space = memory.address_space("memory", self.board)
        self.discards = RamDiscardManager(self.spare, 0x1000)
        self.bell = EventNotifier()
        self.foreign = MemorySystem().ram("foreign", RAM_BYTES)
        self.told: list[object] = []


class Mutator(NamedTuple):
    """A public method that changes something.

    Attributes:
        owner, name: whose it is, and what it is called.
        of: the object.
        right: arguments that it takes.
        wrong: by the place of an argument, what it refuses there.
        says: what the errors name.
    """

    owner: type
    name: str
    of: Callable[[Machine], Any]
    right: Callable[[Machine], tuple[Any, ...]]
    wrong: dict[int, tuple[Any, ...]]
    says: str

    def call(self, machine: Machine, place: int | None = None, value: object = None) -> object:
        """Call it, perhaps with another argument in one place."""
        arguments = list(self.right(machine))
        if place is not None:
            arguments[place] = machine.foreign if value == "foreign" else value
        of = self.of(machine)
        if self.name == "set_region":
            return of.set_region(*arguments, on=True)
        if self.name == "disable_reentrancy_guard":
            of.disable_reentrancy_guard = arguments[0]
            return None
        return getattr(of, self.name)(*arguments)


NO_NUMBER = ("16", 1.5, None, b"1")
NO_FLAG = ("off", 1.5, None, [])
NO_REGION = ("uart", 7, None, [])
NO_REGION_HERE = (*NO_REGION, "foreign")
NO_OBJECT = ("x", 7, None)


def _region(name: str, of: str, *right: object, **wrong: tuple[Any, ...]) -> Mutator:
    values = {int(place[1:]): bad for place, bad in wrong.items()}
    return Mutator(
        MemoryRegion, name, lambda m: getattr(m, of), lambda _m: right, values, f"'{of}'"
    )


MUTATORS = [
    _region("disable_reentrancy_guard", "uart", True, a0=NO_FLAG),
    _region("set_native_endianness", "uart", Endianness.BIG, a0=NO_OBJECT),
    _region("ram_written", "ram", 0, 1, a0=(*NO_NUMBER, -1), a1=(*NO_NUMBER, -1, RAM_BYTES + 1)),
    _region("set_enabled", "uart", False, a0=NO_FLAG),
    _region("set_readonly", "ram", True, a0=NO_FLAG),
    _region("set_nonvolatile", "ram", True, a0=NO_FLAG),
    _region("set_unmergeable", "ram", True, a0=NO_FLAG),
    _region("set_romd_mode", "flash", False, a0=NO_FLAG),
    _region("set_address", "uart", 0x9000, a0=(*NO_NUMBER, -1, 1 << 64)),
    _region("set_size", "uart", 32, a0=(*NO_NUMBER, 0, -1)),
    _region("resize_ram", "ram", RAM_BYTES, a0=(*NO_NUMBER, 0, -1)),
    _region("set_alias_offset", "alias", 16, a0=(*NO_NUMBER, -1, 1 << 64)),
    _region("set_discard_manager", "spare", None, a0=("x", 7, [])),
    Mutator(
        MemoryRegion, "add_subregion", lambda m: m.board, lambda m: (0x100, m.loose, 0),
        {0: (*NO_NUMBER, -1), 1: NO_REGION_HERE, 2: NO_NUMBER}, "'board'",
    ),
    Mutator(
        MemoryRegion, "del_subregion", lambda m: m.board, lambda m: (m.uart,),
        {0: NO_REGION_HERE}, "'board'|'uart'",
    ),
    Mutator(
        MemorySystem, "free", lambda m: m.memory, lambda m: (m.loose,), {0: NO_REGION_HERE},
        "free|'loose'",
    ),
    Mutator(MemorySystem, "container", lambda m: m.memory, lambda _: ("new", 16),
            {0: (7, None), 1: (*NO_NUMBER, 0)}, "region|closed"),
    Mutator(MemorySystem, "io", lambda m: m.memory, lambda _: ("new", 16, None),
            {0: (7, None), 1: (*NO_NUMBER, 0), 2: ("x", 7)}, "region|closed"),
    Mutator(MemorySystem, "ram", lambda m: m.memory, lambda _: ("new", 16),
            {0: (7, None), 1: (*NO_NUMBER, 0)}, "region|closed"),
    Mutator(MemorySystem, "ram_from_file", lambda m: m.memory, lambda _: ("new", "/nowhere", 16),
            {1: (7, None, b"x"), 2: (*NO_NUMBER, 0)}, "'new'|closed"),
    Mutator(MemorySystem, "resizeable_ram", lambda m: m.memory, lambda _: ("new", 16, 16),
            {1: (*NO_NUMBER, 0), 2: (*NO_NUMBER, 0)}, "new|closed"),
    Mutator(MemorySystem, "rom", lambda m: m.memory, lambda _: ("new", 16),
            {0: (7, None), 1: (*NO_NUMBER, 0)}, "region|closed"),
    Mutator(MemorySystem, "rom_device", lambda m: m.memory,
            lambda _: ("new", 16, MemoryRegionOps()), {1: (*NO_NUMBER, 0), 2: ("x", 7)},
            "'new'|closed"),
    Mutator(MemorySystem, "ram_device", lambda m: m.memory, lambda _: ("new", 16, None),
            {1: (*NO_NUMBER, 0), 2: ("x", 7, b"1")}, "'new'|closed"),
    Mutator(MemorySystem, "iommu", lambda m: m.memory, lambda _: ("new", 16, Nowhere()),
            {1: (*NO_NUMBER, 0), 2: NO_OBJECT}, "'new'|closed"),
    Mutator(MemorySystem, "alias", lambda m: m.memory, lambda m: ("new", m.ram, 0, 16),
            {1: NO_REGION_HERE, 2: NO_NUMBER, 3: NO_NUMBER}, "'new'|closed"),
    Mutator(MemorySystem, "address_space", lambda m: m.memory, lambda m: ("new", m.board),
            {0: (7, None), 1: NO_REGION_HERE}, "address space|'board'|closed"),
    Mutator(MemorySystem, "remove_address_space", lambda m: m.memory, lambda m: (m.space,),
            {0: NO_REGION_HERE}, "address space|closed"),
    Mutator(MemorySystem, "subscribe", lambda m: m.memory, lambda m: (m.told.append,),
            {0: NO_OBJECT}, "subscriber|closed"),
    Mutator(MemorySystem, "transaction", lambda m: m.memory, lambda _: (), {}, "closed"),
    Mutator(IoEventFds, "add", lambda m: m.memory.ioeventfds,
            lambda m: (m.uart, 0, 4, None, m.bell),
            {0: NO_REGION_HERE, 1: (*NO_NUMBER, -1), 2: (*NO_NUMBER, 3, 16), 3: ("1", 1.5, -1),
             4: NO_OBJECT}, "ioeventfd|'uart'"),
    Mutator(IoEventFds, "remove", lambda m: m.memory.ioeventfds,
            lambda m: (m.uart, 0, 4, None, m.bell),
            {0: NO_REGION_HERE, 1: (*NO_NUMBER, 8), 2: NO_NUMBER, 3: ("1", 1.5), 4: NO_OBJECT},
            "ioeventfd|'uart'"),
    Mutator(CoalescedMmio, "add", lambda m: m.memory.coalesced, lambda m: (m.uart, 0, 4),
            {0: NO_REGION_HERE, 1: (*NO_NUMBER, -1, 13), 2: (*NO_NUMBER, 0, 17)},
            "coalesced|'uart'"),
    Mutator(CoalescedMmio, "set_whole", lambda m: m.memory.coalesced, lambda m: (m.uart,),
            {0: NO_REGION_HERE}, "coalesced|'uart'"),
    Mutator(CoalescedMmio, "clear", lambda m: m.memory.coalesced, lambda m: (m.uart,),
            {0: NO_REGION_HERE}, "coalesced|'uart'"),
    Mutator(CoalescedMmio, "set_flush", lambda m: m.memory.coalesced, lambda m: (m.uart, True),
            {0: NO_REGION_HERE}, "coalesced|'uart'"),
    Mutator(CoalescedMmio, "add_ring", lambda m: m.memory.coalesced, lambda m: (m.told.clear,),
            {0: NO_OBJECT}, "ring|closed"),
    Mutator(DirtyLogging, "set_region", lambda m: m.memory.dirty_logging, lambda m: (m.ram,),
            {0: NO_REGION_HERE}, "dirty log|'ram'"),
    Mutator(DirtyLogging, "start_global", lambda m: m.memory.dirty_logging,
            lambda _: (DirtyClient.MIGRATION,), {0: NO_OBJECT}, "dirty log|closed"),
    Mutator(DirtyLogging, "stop_global", lambda m: m.memory.dirty_logging,
            lambda _: (DirtyClient.MIGRATION,), {0: NO_OBJECT}, "dirty log|closed"),
    Mutator(DirtyLogging, "sync", lambda m: m.memory.dirty_logging, lambda m: (m.ram,),
            {0: ("ram", 7, [], "foreign")}, "dirty log|closed"),
    Mutator(DirtyLogging, "snapshot_and_clear", lambda m: m.memory.dirty_logging,
            lambda m: (m.ram, 0, 16, DirtyClient.VGA),
            {0: NO_REGION_HERE, 1: (*NO_NUMBER, -1), 2: (*NO_NUMBER, -1, RAM_BYTES + 1),
             3: NO_OBJECT}, "dirty log|'ram'|closed"),
    Mutator(RamDiscardManager, "populate", lambda m: m.discards, lambda _: (0, 0x1000),
            {0: (*NO_NUMBER, 1), 1: (*NO_NUMBER, 1, 0)}, "'spare'"),
    Mutator(RamDiscardManager, "discard", lambda m: m.discards, lambda _: (0, 0x1000),
            {0: (*NO_NUMBER, 1), 1: (*NO_NUMBER, 1, 0)}, "'spare'"),
    Mutator(Iommu, "register", lambda m: m.dma.iommu,
            lambda m: (IommuNotifier(m.told.append, IommuNotify.MAP),), {0: NO_OBJECT}, "'dma'"),
]  # fmt: skip

OTHERS = {
    MemoryRegion: {"gaps", "mtree_type", "check_open"},
    MemorySystem: {"close", "find", "present", "refuse_if_closed", "steady", "unsubscribe"},
    IoEventFds: {"of", "shown", "update"},
    CoalescedMmio: {"flush", "flushes", "parts", "remove_ring"},
    DirtyLogging: set(),
    RamDiscardManager: {
        "is_populated", "register_listener", "replay_discarded", "replay_populated",
        "unregister_listener",
    },
    Iommu: {"notify", "replay", "translate", "unregister"},
}  # fmt: skip
"""Methods that change nothing, or that let go of something."""


@pytest.mark.parametrize("owner", OTHERS, ids=lambda owner: owner.__name__)
def test_every_public_method_is_in_one_of_the_tables(owner: type) -> None:
    names = {
        name for name in dir(owner) if not name.startswith("_") and callable(getattr(owner, name))
    }
    mutators = {each.name for each in MUTATORS if each.owner is owner}
    assert names == (mutators | OTHERS[owner]) - {"disable_reentrancy_guard"}


each_mutator = pytest.mark.parametrize(
    "mutator", MUTATORS, ids=lambda m: f"{m.owner.__name__}.{m.name}"
)


@each_mutator
def test_a_wrong_argument_is_refused_by_name(mutator: Mutator) -> None:
    for place, values in mutator.wrong.items():
        for value in values:
            machine = Machine()
            before = [(each.start, each.end, each.region) for each in machine.space.view]
            with pytest.raises(ConfigError, match=mutator.says):
                mutator.call(machine, place, value)
            after = [(each.start, each.end, each.region) for each in machine.space.view]
            assert after == before, (place, value)


@each_mutator
def test_after_the_end_nothing_can_be_changed(mutator: Mutator) -> None:
    machine = Machine()
    machine.memory.close()
    with pytest.raises(StateError, match="closed") as caught:
        mutator.call(machine)
    if "closed" not in mutator.says:
        with pytest.raises(StateError, match=mutator.says):
            mutator.call(machine)
    assert "\n" not in str(caught.value)


def test_what_changes_nothing_is_refused_after_the_end_too() -> None:
    machine = Machine()
    machine.memory.close()
    for act in (
        lambda: machine.uart.set_enabled(True),
        lambda: machine.uart.set_address(machine.uart.addr),
        lambda: machine.uart.set_size(machine.uart.size),
    ):
        with pytest.raises(StateError, match="'uart': the memory system is closed"):
            act()


def test_a_listener_is_one_and_a_section_is_one() -> None:
    machine = Machine()
    with pytest.raises(ConfigError, match="'memory': listener 'x' is of type str"):
        machine.space.register_listener("x")  # type: ignore[arg-type]
    with pytest.raises(
        ConfigError, match="'spare': discard None is None: give a RamDiscardListener"
    ):
        machine.discards.register_listener(None, None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'spare': discard None is None: give a MemoryRegionSect"):
        machine.discards.register_listener(RamDiscardListener(), None)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="'dma': 7 is of type int: give a IommuEntry"):
        machine.dma.iommu.notify(IommuNotify.MAP, 7)  # type: ignore[union-attr,arg-type]
    with pytest.raises(StateError, match="no subscriber"):
        machine.memory.unsubscribe(print)
    machine.space.register_listener(MemoryListener())


# -- assignment ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of", "fact", "value"),
    [
        ("uart", "addr", 0x9000),
        ("alias", "alias_offset", 0x20),
        ("uart", "enabled", False),
        ("ram", "nonvolatile", True),
        ("ram", "readonly", True),
        ("flash", "romd_mode", False),
        ("uart", "size", 0x40),
        ("ram", "unmergeable", True),
    ],
)
def test_to_assign_a_fact_is_one_commit(of: str, fact: str, value: object) -> None:
    machine = Machine()
    region: MemoryRegion = getattr(machine, of)
    seen: list[object] = []
    machine.memory.subscribe(seen.append)
    before = list(machine.space.view)
    setattr(region, fact, value)
    assert getattr(region, fact) == value
    assert len(seen) == 1
    assert list(machine.space.view) != before
    with pytest.raises(ConfigError, match=f"'{of}'"):
        setattr(region, fact, "x")
    assert getattr(region, fact) == value


def test_a_discard_manager_can_be_assigned() -> None:
    machine = Machine()
    machine.spare.discard_manager = machine.discards
    assert machine.spare.discard_manager is machine.discards


@pytest.mark.parametrize("value", [1, 0, 0x80])
def test_a_registers_bit_is_a_flag(value: int) -> None:
    machine = Machine()
    machine.uart.set_enabled(value)  # type: ignore[arg-type]
    assert machine.uart.enabled is bool(value)


# -- accesses --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NO_NUMBER)
@pytest.mark.parametrize("warm", [False, True])
def test_an_access_at_no_address(value: Any, warm: bool) -> None:
    space = Machine().space
    if warm:
        space.store(0x10, 4, 0)
        space.load(0x10, 4)
    for act in (
        lambda: space.load(value, 4),
        lambda: space.load(0x10, value),
        lambda: space.store(value, 4, 0),
        lambda: space.store(0x10, value, 0),
        lambda: space.read(value, 4),
        lambda: space.read(0x10, value),
        lambda: space.read_into(value, bytearray(4)),
        lambda: space.write(value, b"1"),
        lambda: space.write_rom(value, b"1"),
        lambda: space.find(value),
        lambda: space.map(value, 4, is_write=False),
        lambda: space.cache(value, 4, is_write=False),
    ):
        with pytest.raises(ConfigError, match=r"address space 'memory': (address|size|length)"):
            act()


@pytest.mark.parametrize("value", ["text", None, 7, [1]])
def test_what_is_written_are_bytes(value: Any) -> None:
    space = Machine().space
    for write in (space.write, space.write_rom):
        with pytest.raises(ConfigError, match=r"'memory': cannot write .*: give bytes"):
            write(0x10, value)
