"""Bells, coalesced parts and dirty pages under random changes of the map."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guestmap.memory import MemoryListener, MemoryRegionOps, MemorySystem
from guestmap.memory.hear import EventNotifier
from guestmap.memory.ram import DirtyClient

DEVICES = 3
PAGE = 4096
RAM_PAGES = 130
RAM_AT = 0x100000


class Follower(MemoryListener):
    """Keeps what it was told, and refuses to be told nonsense."""

    def __init__(self) -> None:
        self.bells: set[tuple[object, ...]] = set()
        self.held: list[tuple[int, int]] = []

    def eventfd_add(self, section, bell):
        assert bell.order not in self.bells
        self.bells.add(bell.order)

    def eventfd_del(self, section, bell):
        self.bells.remove(bell.order)

    def coalesced_io_add(self, section, address, size):
        self.held.append((address, size))

    def coalesced_io_del(self, section, address, size):
        self.held.remove((address, size))


class Hooks(RuleBasedStateMachine):
    """Three devices that move over each other and over RAM, with bells and coalesced parts."""

    @initialize()
    def start(self) -> None:
        self.memory = MemorySystem()
        self.bell = EventNotifier()
        system = self.memory.container("system", 1 << 32)
        self.ram = self.memory.ram("ram", RAM_PAGES * PAGE)
        system.add_subregion(RAM_AT, self.ram)
        ops = MemoryRegionOps(read=lambda *_: 0, write=lambda *_: None)
        self.devices = [self.memory.io(f"dev{n}", 0x100, ops) for n in range(DEVICES)]
        for number, device in enumerate(self.devices):
            system.add_subregion(RAM_AT + number * 0x80, device, number)
        self.space = self.memory.address_space("memory", system)
        self.follower = Follower()
        self.space.register_listener(self.follower)
        self.present: list[tuple[int, int, int]] = []
        log = self.ram.ram_block.dirty
        log.snapshot_and_clear(DirtyClient.VGA, 0, self.ram.size)
        self.dirty: set[int] = set()

    def teardown(self) -> None:
        if hasattr(self, "memory"):
            self.memory.close()
            self.bell.close()

    @rule(n=st.integers(0, DEVICES - 1), at=st.integers(0, 0x3F), size=st.sampled_from([0, 1, 4]))
    def add_bell(self, n: int, at: int, size: int) -> None:
        if (n, 4 * at, size) not in self.present:
            self.devices[n].system.ioeventfds.add(self.devices[n], 4 * at, size, None, self.bell)
            self.present.append((n, 4 * at, size))

    @rule(data=st.data())
    def del_bell(self, data: st.DataObject) -> None:
        if self.present:
            n, at, size = data.draw(st.sampled_from(self.present))
            self.devices[n].system.ioeventfds.remove(self.devices[n], at, size, None, self.bell)
            self.present.remove((n, at, size))

    @rule(n=st.integers(0, DEVICES - 1), at=st.integers(0, 0x20), on=st.booleans())
    def move(self, n: int, at: int, on: bool) -> None:
        with self.memory.transaction():
            self.devices[n].set_address(RAM_AT + 0x40 * at)
            self.devices[n].set_enabled(on)

    @rule(n=st.integers(0, DEVICES - 1), at=st.integers(0, 0xF0), size=st.integers(1, 0x10))
    def coalesce(self, n: int, at: int, size: int) -> None:
        self.devices[n].system.coalesced.add(self.devices[n], at, size)

    @rule(n=st.integers(0, DEVICES - 1))
    def stop_coalescing(self, n: int) -> None:
        self.devices[n].system.coalesced.clear(self.devices[n])

    @rule(page=st.integers(0, RAM_PAGES - 2), length=st.integers(1, 2 * PAGE))
    def write_ram(self, page: int, length: int) -> None:
        start = page * PAGE + 0x1000  # clear of the devices
        length = min(length, self.ram.size - start)
        if length > 0:
            self.space.write(RAM_AT + start, bytes(length))
            self.dirty.update(range(start // PAGE, (start + length - 1) // PAGE + 1))

    @rule()
    def look(self) -> None:
        found = self.ram.system.dirty_logging.snapshot_and_clear(
            self.ram, 0, self.ram.size, DirtyClient.VGA
        ).pages()
        assert found == [page * PAGE for page in sorted(self.dirty)]
        self.dirty.clear()

    @invariant()
    def the_listener_knows_every_bell_that_shows(self) -> None:
        if hasattr(self, "space"):
            assert self.follower.bells == {
                bell.order for bell in self.memory.ioeventfds.shown(self.space.view)
            }
            assert [b.order for b in self.memory.listeners.ioeventfds_on(self.space)] == sorted(
                self.follower.bells
            )

    @invariant()
    def the_listener_knows_every_coalesced_part_that_shows(self) -> None:
        if hasattr(self, "space"):
            expected = []
            for each in self.space.view:
                for part in self.memory.coalesced.parts(each.region):
                    low = max(part.start, each.offset_in_region)
                    high = min(part.end, each.offset_in_region + each.size)
                    if low < high:
                        expected.append((low + each.start - each.offset_in_region, high - low))
            assert sorted(self.follower.held) == sorted(expected)


Hooks.TestCase.settings = settings(max_examples=100, stateful_step_count=30)
TestHooks = Hooks.TestCase
