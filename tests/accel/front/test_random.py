"""Whatever a board looks like and becomes, the CPU sees what its address space shows."""

from __future__ import annotations

import pytest

pytest.importorskip("unicorn")

from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.accel.unicorn import UnmappedAccess
from guestmap.memory import AddressSpace, MemoryRegion, MemoryRegionOps, MemorySystem
from tests.accel.front.board import Board

pytestmark = pytest.mark.unicorn

TOP = 0x8000
KINDS = ("ram", "rom", "device", "alias", "read-only alias", "rom device")

places = st.integers(0, TOP - 1) | st.integers(0, TOP // 0x1000 - 1).map(lambda page: page << 12)
sizes = st.integers(1, 0x40) | st.integers(1, 0x3000) | st.sampled_from((0x1000, 0x2000))
regions = st.tuples(st.sampled_from(KINDS), places, sizes, st.integers(0, 2))
accesses = st.tuples(
    st.sampled_from(("load", "store")), st.integers(0, TOP - 8), st.sampled_from((1, 2, 4))
)
changes = st.tuples(
    st.sampled_from(("move", "toggle", "offset", "readonly")), st.integers(0, 7), places
)


class Map:
    """One of two equal maps; a device is bytes that it keeps."""

    def __init__(self, memory: MemorySystem, root: MemoryRegion, space: AddressSpace) -> None:
        self.memory, self.root, self.space = memory, root, space
        self.regions: list[MemoryRegion] = []

    def add(self, kind: str, place: int, size: int, priority: int) -> None:
        name = f"{kind} {len(self.regions)}"
        region = self._make(kind, name, size)
        buffer = None if kind.endswith("alias") else region.buffer
        if buffer is not None:
            buffer[:size] = bytes((index * 7 + len(self.regions)) & 0xFF for index in range(size))
        self.root.add_subregion(place, region, priority)
        self.regions.append(region)

    def _make(self, kind: str, name: str, size: int) -> MemoryRegion:
        if kind in ("ram", "rom"):
            return self.memory.ram(name, size, readonly=kind == "rom")
        if kind.endswith("alias"):
            alias = self.memory.alias(name, self.target, 0x800, size)
            alias.set_readonly(kind != "alias")
            return alias
        kept = bytearray(size + 8)

        def write(offset: int, value: int, size: int) -> None:
            kept[offset : offset + size] = value.to_bytes(size, "little")

        ops = MemoryRegionOps(
            read=lambda offset, size: int.from_bytes(kept[offset : offset + size], "little"),
            write=write,
        )
        if kind == "device":
            return self.memory.io(name, size, ops)
        return self.memory.rom_device(name, size, ops)

    @property
    def target(self) -> MemoryRegion:
        """What aliases show: the first RAM, which is in the map itself or not."""
        for region in self.regions:
            if region.ram:
                return region
        return self.memory.ram("elsewhere", 0x4000)

    def change(self, what: str, index: int, place: int) -> None:
        region = self.regions[index % len(self.regions)]
        if what == "move":
            region.set_address(place)
        elif what == "toggle":
            region.set_enabled(not region.enabled)
        elif what == "offset" and region.alias is not None:
            region.set_alias_offset(place & 0xFFF)
        elif what == "readonly" and region.ram:
            region.set_readonly(not region.readonly)


boards = st.lists(regions, min_size=1, max_size=6)
runs = st.lists(accesses | changes, min_size=1, max_size=25)


@settings(max_examples=60)
@given(boards, runs)
def test_the_cpu_and_the_address_space_agree(
    made: list[tuple[str, int, int, int]], steps: list[tuple[str, int, int]]
) -> None:
    check_that_they_agree(0, made, steps)


@settings(max_examples=30)
@given(boards, runs)
def test_they_agree_where_the_addresses_of_the_cpu_end(
    made: list[tuple[str, int, int, int]], steps: list[tuple[str, int, int]]
) -> None:
    check_that_they_agree((1 << 32) - TOP, made, steps)


def check_that_they_agree(
    base: int, made: list[tuple[str, int, int, int]], steps: list[tuple[str, int, int]]
) -> None:
    """Make the same map in front of a CPU and alone, at ``base``; do the same to both."""

    def nobody(_access: UnmappedAccess) -> int:
        return 0

    board = Board(unmapped=nobody)
    memory = MemorySystem()
    root = memory.container("board", 1 << 32)
    ours = Map(board.memory, _part(board.memory, board.root, base), board.space)
    naive = Map(memory, _part(memory, root, base), memory.address_space("memory", root))
    for each in made:
        ours.add(*each)
        naive.add(*each)
    for number, (what, first, second) in enumerate(steps):
        if what == "load":
            assert board.load(base + first, second) == naive.space.load(base + first, second)
        elif what == "store":
            value = 0x91827364 + number & (1 << 8 * second) - 1
            board.store(base + first, value, second)
            naive.space.write(base + first, value.to_bytes(second, "little"))
        else:
            ours.change(what, first, second)
            naive.change(what, first, second)
    for at in range(base, base + TOP, 0x1000):
        assert board.space.read(at, 0x1000) == naive.space.read(at, 0x1000)
    board.front.close()


def _part(memory: MemorySystem, root: MemoryRegion, base: int) -> MemoryRegion:
    part = memory.container("part", (1 << 32) - base)
    root.add_subregion(base, part)
    return part
