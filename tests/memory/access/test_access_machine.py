"""Accesses of every kind while the map changes, held to a model that goes byte by byte.

What an access leaves behind for the next one (the hot range, the plans, the index of children)
must never show. The model knows nothing of ranges: it follows each byte through the tree and
through the IOMMU's table.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    MemoryRegion,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from guestmap.memory.map import IommuEntry, IommuPerm, IommuTranslator
from tests.memory import naive

OK, DECODE_ERROR = MemTxResult.OK, MemTxResult.DECODE_ERROR
PAGE, SIZE, HOPS = 0x100, 0x400, 16
SPAN = 6 * SIZE
DEBUG = MemTxAttrs(debug=True)

addresses = st.integers(0, SPAN // 8).map(lambda n: 8 * n) | st.integers(0, SPAN)
sizes = st.sampled_from([1, 2, 4, 8])
lengths = st.integers(1, 24) | st.sampled_from([PAGE, SIZE, SPAN])


class Table(IommuTranslator):
    """Pages that a guest could have programmed."""

    min_page_size = PAGE

    def __init__(self) -> None:
        self.pages: dict[int, tuple[AddressSpace, int, IommuPerm]] = {}

    def translate(self, offset: int, access: IommuPerm, index: int) -> IommuEntry | None:
        if offset // PAGE not in self.pages:
            return None
        target, page, perm = self.pages[offset // PAGE]
        return IommuEntry(target, offset & -PAGE, page * PAGE, PAGE - 1, perm)


class Accesses(RuleBasedStateMachine):
    @initialize(enforce=st.booleans())
    def build(self, enforce: bool) -> None:
        self.enforce = enforce
        self.memory = memory = MemorySystem(enforce_readonly=enforce)
        self.registers = bytearray(SIZE)
        byte = AccessSizes(1, 1)
        ops = MemoryRegionOps(
            read=lambda offset, _size: self.registers[offset],
            write=self.write_register,
            valid=byte,
            impl=byte,
        )
        self.table = Table()
        self.root = memory.container("root", 1 << 64)
        self.other = memory.container("other", 1 << 64)
        self.ram = [memory.ram(f"ram {i}", SIZE) for i in range(2)]
        self.rom = memory.rom("rom", SIZE)
        self.io = memory.io("io", SIZE, ops, owner=self)
        self.iommu = memory.iommu("iommu", 2 * SIZE, self.table)
        self.window = memory.alias("window", self.ram[1], 0, SIZE)
        self.movable = [*self.ram, self.rom, self.io, self.iommu, self.window]
        with memory.transaction():
            for number, each in enumerate(self.movable):
                self.root.add_subregion(number * SIZE // 2, each, number % 2)
            self.other.add_subregion(0, memory.alias("ram below", self.ram[0], 0, SIZE))
            self.other.add_subregion(SIZE, memory.alias("rom below", self.rom, 0, SIZE))
        self.spaces = [memory.address_space("root", self.root)]
        self.spaces.append(memory.address_space("other", self.other))
        self.bytes: dict[MemoryRegion, bytearray] = {
            region: bytearray(SIZE) for region in (*self.ram, self.rom)
        }
        self.watched: list[tuple[int, int]] = []

    def write_register(self, offset: int, value: int, _size: int) -> None:
        self.registers[offset] = value

    # -- the map -------------------------------------------------------------------------------

    @rule(which=st.integers(0, 5), at=st.integers(0, 8))
    def move(self, which: int, at: int) -> None:
        self.movable[which].set_address(at * SIZE // 2)

    @rule(which=st.integers(0, 5), on=st.booleans())
    def enable(self, which: int, on: bool) -> None:
        self.movable[which].set_enabled(on)

    @rule(which=st.sampled_from([0, 1, 5]), readonly=st.booleans())
    def protect(self, which: int, readonly: bool) -> None:
        self.movable[which].set_readonly(readonly)

    @rule(offset=st.integers(0, 2))
    def slide(self, offset: int) -> None:
        self.window.set_alias_offset(offset * PAGE)

    @rule(
        page=st.integers(0, 2 * SIZE // PAGE - 1),
        to=st.integers(0, SPAN // PAGE),
        space=st.integers(0, 1),
        perm=st.integers(0, 3).map(IommuPerm),
    )
    def program(self, page: int, to: int, space: int, perm: IommuPerm) -> None:
        self.table.pages[page] = (self.spaces[space], to, perm)

    @rule(on=st.booleans())
    def watch(self, on: bool) -> None:
        block = self.ram[0].ram_block
        assert block is not None
        block.remove_watcher(self.note)
        if on:
            block.add_watcher(self.note)
        self.watched = []

    def note(self, offset: int, length: int) -> None:
        assert self.ram[0].buffer is not None
        self.watched.append((offset, length))

    # -- accesses ------------------------------------------------------------------------------

    @rule(at=addresses, size=sizes)
    def load(self, at: int, size: int) -> None:
        data, result = self.expected(at, size)
        number = int.from_bytes(data, "little")
        assert self.spaces[0].load(at, size) == number
        assert self.spaces[0].load_result(at, size) == (number, result)

    @rule(at=addresses, length=lengths)
    def read(self, at: int, length: int) -> None:
        data, result = self.expected(at, length)
        assert self.spaces[0].read(at, length) == data
        buffer = bytearray(length)
        assert self.spaces[0].read_into(at, buffer) == result
        assert buffer == data
        assert self.spaces[0].access_valid(at, length, False) == (result is OK)

    @rule(at=addresses, size=sizes, value=st.integers(-5, 1 << 64))
    def store(self, at: int, size: int, value: int) -> None:
        data = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        would = self.spaces[0].access_valid(at, size, True)
        result = self.apply(at, data)
        assert self.spaces[0].store(at, size, value) == result
        assert would == (result is OK)

    @rule(at=addresses, length=lengths, seed=st.integers(0, 255), debug=st.booleans())
    def write(self, at: int, length: int, seed: int, debug: bool) -> None:
        data = bytes((seed + i) & 0xFF for i in range(length))
        result = self.apply(at, data, debug=debug)
        if debug:
            assert self.spaces[0].write(at, data, DEBUG) == result
        else:
            assert self.spaces[0].write(at, data) == result

    @invariant()
    def the_bytes_are_where_they_should_be(self) -> None:
        for region, data in self.bytes.items():
            assert region.buffer is not None
            assert region.buffer[:SIZE] == data, region
        assert not self.io.guard or not self.io.guard.engaged

    # -- the model -----------------------------------------------------------------------------

    def follow(self, address: int, access: IommuPerm) -> naive.Answer | None:
        root = self.root
        for _ in range(HOPS):
            answer = naive.who_answers(root, address)
            if answer is None or answer.region is not self.iommu:
                return answer
            entry = self.table.pages.get(answer.offset // PAGE)
            if entry is None or not entry[2] & access:
                return None
            root, address = entry[0].root, entry[1] * PAGE + answer.offset % PAGE
        return None

    def expected(self, at: int, length: int) -> tuple[bytes, MemTxResult]:
        data, result = bytearray(), OK
        for address in range(at, at + length):
            answer = self.follow(address, IommuPerm.READ)
            if answer is None:
                data.append(0)
                result = DECODE_ERROR
            elif answer.region is self.io:
                data.append(self.registers[answer.offset])
            else:
                data.append(self.bytes[answer.region][answer.offset])
        return bytes(data), result

    def apply(self, at: int, data: bytes, debug: bool = False) -> MemTxResult:
        result = OK
        for number, byte in enumerate(data):
            answer = self.follow(at + number, IommuPerm.WRITE)
            if answer is None:
                result = DECODE_ERROR
            elif answer.region is self.io:
                pass  # the device keeps its own bytes; reads are held to them
            else:
                refused = answer.readonly if self.enforce else answer.region.readonly
                if refused and not debug:
                    result = DECODE_ERROR
                else:
                    self.bytes[answer.region][answer.offset] = byte
        return result


TestAccesses = Accesses.TestCase
TestAccesses.settings = settings(max_examples=60, stateful_step_count=40)
