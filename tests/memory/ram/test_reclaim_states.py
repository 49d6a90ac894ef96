"""Any order of users coming and going: memory is mapped exactly as long as it has one."""

from __future__ import annotations

import ctypes

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
)

from guestmap.memory import MemoryListener, MemoryRegion, MemoryRegionSection, MemorySystem
from guestmap.memory.access import Mapping, MemoryRegionCache
from guestmap.memory.ram import RamBlock
from tests.memory.host_maps import block_of, maps, named_ram

SIZE = 0x2000


class Engine(MemoryListener):
    """Pins what shows, as an engine does, and reads it by its address."""

    def __init__(self) -> None:
        self.addresses: dict[RamBlock, int] = {}

    def region_add(self, section: MemoryRegionSection) -> None:
        block = block_of(section.region)
        block.pin()
        self.addresses[block] = block.host_address

    def region_del(self, section: MemoryRegionSection) -> None:
        block = block_of(section.region)
        del self.addresses[block]
        block.unpin()


class Dimm:
    """A region, and who uses it according to this test."""

    def __init__(self, memory: MemorySystem, number: int) -> None:
        self.number = number
        self.name = f"state-{id(memory):x}-{number}."
        self.region: MemoryRegion = named_ram(memory, self.name, SIZE)
        self.block = block_of(self.region)
        self.address = self.block.host_address
        self.block.buffer[:8] = number.to_bytes(8, "little")
        self.users = 0
        self.shown = False
        self.freed = False

    @property
    def should_be_mapped(self) -> bool:
        return not self.freed or self.users > 0


class ReclaimMachine(RuleBasedStateMachine):
    dimms = Bundle("dimms")
    pins = Bundle("pins")
    views = Bundle("views")
    mappings = Bundle("mappings")
    caches = Bundle("caches")

    @initialize()
    def start(self) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("root", 1 << 64)
        self.root.add_subregion(0, self.memory.io("first", 1, None))
        self.space = self.memory.address_space("space", self.root)
        self.engine = Engine()
        self.all: list[Dimm] = []

    @rule(on=st.booleans())
    def engine_listens(self, on: bool) -> None:
        self.root_has_only_ram()
        listening = bool(self.space.listeners)
        if on and not listening:
            self.space.register_listener(self.engine)
        elif listening and not on:
            self.space.unregister_listener(self.engine)

    def root_has_only_ram(self) -> None:
        for each in self.root.subregions:
            if each.ram_block is None:
                self.root.del_subregion(each)

    @rule(target=dimms)
    def plug(self) -> Dimm:
        dimm = Dimm(self.memory, len(self.all))
        self.all.append(dimm)
        return dimm

    @rule(dimm=dimms)
    def show(self, dimm: Dimm) -> None:
        if not dimm.freed and not dimm.shown:
            self.root.add_subregion(dimm.number * SIZE, dimm.region)
            dimm.shown = True

    @rule(dimm=consumes(dimms), together=st.booleans())
    def unplug(self, dimm: Dimm, together: bool) -> None:
        if together:
            with self.memory.transaction():
                self._unplug(dimm)
        else:
            self._unplug(dimm)

    def _unplug(self, dimm: Dimm) -> None:
        if dimm.shown:
            self.root.del_subregion(dimm.region)
            dimm.shown = False
        self.memory.free(dimm.region)
        dimm.freed = True

    @rule(target=pins, dimm=dimms)
    def pin(self, dimm: Dimm) -> Dimm:
        dimm.block.pin()
        dimm.users += 1
        return dimm

    @rule(dimm=consumes(pins))
    def unpin(self, dimm: Dimm) -> None:
        assert ctypes.string_at(dimm.address, 8) == dimm.number.to_bytes(8, "little")
        dimm.users -= 1
        dimm.block.unpin()

    @rule(target=views, dimm=dimms)
    def look(self, dimm: Dimm) -> list[tuple[Dimm, memoryview]]:
        dimm.users += 1
        return [(dimm, dimm.block.buffer[0:8])]

    @rule(views=consumes(views))
    def look_away(self, views: list[tuple[Dimm, memoryview]]) -> None:
        dimm, view = views.pop()
        assert view == dimm.number.to_bytes(8, "little")
        dimm.users -= 1

    @rule(target=mappings, dimm=dimms, is_write=st.booleans())
    def map(self, dimm: Dimm, is_write: bool) -> tuple[Dimm, Mapping]:
        mapping = self.space.map(dimm.number * SIZE, SIZE, is_write)
        if mapping is None:
            return multiple()  # type: ignore[no-any-return]
        if mapping.direct:
            dimm.users += 1
        return dimm, mapping

    @rule(pair=consumes(mappings))
    def unmap(self, pair: tuple[Dimm, Mapping]) -> None:
        dimm, mapping = pair
        if mapping.direct:
            assert mapping.buffer[:8] == dimm.number.to_bytes(8, "little")
            dimm.users -= 1
        mapping.unmap(0)

    @rule(target=caches, dimm=dimms)
    def cache(self, dimm: Dimm) -> tuple[Dimm, MemoryRegionCache]:
        cache = self.space.cache(dimm.number * SIZE, 16, False)
        dimm.users += cache.direct
        return dimm, cache

    @rule(pair=consumes(caches))
    def uncache(self, pair: tuple[Dimm, MemoryRegionCache]) -> None:
        dimm, cache = pair
        if cache.direct:
            assert cache.load(0, 8) == dimm.number
            dimm.users -= 1
        cache.close()

    @invariant()
    def mapped_while_used(self) -> None:
        for block, address in self.engine.addresses.items():
            assert ctypes.string_at(address, 8) == bytes(block.buffer[:8])
        self.memory.rcu.drain()
        there = maps()
        for dimm in self.all:
            assert (dimm.name in there) is dimm.should_be_mapped, dimm.name
        listed = {block.name for block in self.memory.ram_blocks}
        assert listed == {dimm.name for dimm in self.all if not dimm.freed}

    def teardown(self) -> None:
        if not hasattr(self, "memory"):
            return
        self.memory.close()
        there = maps()
        for dimm in self.all:
            assert (dimm.name in there) is (dimm.users > 0)


TestReclaim = ReclaimMachine.TestCase
TestReclaim.settings = settings(max_examples=40)  # each step asks the kernel
