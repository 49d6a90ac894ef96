"""Accesses that a device does not implement: covered by those that it does.

A device is a row of bytes here, read and written a word at a time: whatever size and alignment the
guest uses, and whatever words the device knows, the bytes must be those of the row.
"""

from __future__ import annotations

import random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.memory import (
    AccessSizes,
    AddressSpace,
    Endianness,
    MemoryRegionOps,
    MemorySystem,
    MemTxAttrs,
    MemTxResult,
)
from tests.support.qemu import Qemu

OK, ERROR, DECODE_ERROR = MemTxResult.OK, MemTxResult.ERROR, MemTxResult.DECODE_ERROR
ROW = 0x40
WIDTHS = [(1, 1), (1, 2), (1, 4), (1, 8), (2, 2), (2, 4), (4, 4), (4, 8), (8, 8)]


class Row:
    """Bytes behind words of ``least`` to ``most`` bytes, each at a multiple of its size."""

    def __init__(
        self, least: int, most: int, order: Literal["little", "big"], *, attrs: bool = False
    ) -> None:
        self.least, self.most, self.order = least, most, order
        self.data = bytearray((7 * i + 3) & 0xFF for i in range(ROW + 16))
        self.calls: list[tuple[str, int, int]] = []
        self.failing = -1
        rules = {
            "endianness": Endianness.BIG if order == "big" else Endianness.LITTLE,
            "valid": AccessSizes(1, 8, unaligned=True),
            "impl": AccessSizes(least, most),
        }
        self.ops = (
            MemoryRegionOps(read_with_attrs=self.try_read, write_with_attrs=self.try_write, **rules)  # type: ignore[arg-type]
            if attrs
            else MemoryRegionOps(read=self.read, write=self.write, **rules)  # type: ignore[arg-type]
        )

    def space(self) -> AddressSpace:
        memory = MemorySystem()
        return memory.address_space("space", memory.io("row", ROW, self.ops))

    def _check(self, call: str, offset: int, size: int) -> None:
        self.calls.append((call, offset, size))
        assert self.least <= size <= self.most
        assert offset % size == 0

    def read(self, offset: int, size: int) -> int:
        self._check("r", offset, size)
        return int.from_bytes(self.data[offset : offset + size], self.order)

    def write(self, offset: int, value: int, size: int) -> None:
        self._check("w", offset, size)
        self.data[offset : offset + size] = value.to_bytes(size, self.order)

    def try_read(self, offset: int, size: int, _attrs: MemTxAttrs) -> tuple[int, MemTxResult]:
        if offset == self.failing:
            return -1, ERROR
        return self.read(offset, size), OK

    def try_write(self, offset: int, value: int, size: int, _attrs: MemTxAttrs) -> MemTxResult:
        self.write(offset, value, size)
        return OK


@given(
    widths=st.sampled_from(WIDTHS),
    order=st.sampled_from(["little", "big"]),
    accesses=st.lists(
        st.tuples(
            st.integers(0, ROW - 8),
            st.sampled_from([1, 2, 4, 8, 3, 7]),
            st.booleans(),
            st.integers(0, (1 << 64) - 1),
        ),
        min_size=1,
        max_size=8,
    ),
)
def test_whatever_the_guest_does_the_bytes_are_right(
    widths: tuple[int, int],
    order: Literal["little", "big"],
    accesses: list[tuple[int, int, bool, int]],
) -> None:
    row = Row(*widths, order)
    space, model = row.space(), bytearray(row.data)
    for offset, size, is_write, number in accesses:
        data = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
        if not is_write:
            assert space.read(offset, size) == model[offset : offset + size]
        elif size & (size - 1):
            assert space.write(offset, data) is OK
        else:
            assert space.store(offset, size, number) is OK
        if is_write:
            model[offset : offset + size] = data
        if not size & (size - 1):
            expected = int.from_bytes(model[offset : offset + size], "little")
            assert [space.load(offset, size) for _ in range(2)] == [expected] * 2
        assert row.data == model


CALLS = [
    # implemented, offset, size, what a read calls, what a write calls
    ((4, 4), 0, 4, "r0.4", "w0.4"),
    ((4, 4), 1, 4, "r0.4 r4.4", "r0.4 w0.4 r4.4 w4.4"),
    ((4, 4), 2, 1, "r0.4", "r0.4 w0.4"),
    ((4, 4), 4, 8, "r4.4 r8.4", "w4.4 w8.4"),
    ((4, 8), 4, 8, "r4.4 r8.4", "w4.4 w8.4"),
    ((4, 8), 8, 8, "r8.8", "w8.8"),
    ((2, 4), 3, 4, "r2.2 r4.4", "r2.2 w2.2 w4.2 r6.2 w6.2"),
    ((2, 4), 2, 4, "r2.2 r4.2", "w2.2 w4.2"),
    ((8, 8), 3, 2, "r0.8", "r0.8 w0.8"),
    ((1, 4), 1, 4, "r1.1 r2.2 r4.1", "w1.1 w2.2 w4.1"),
    ((1, 4), 2, 4, "r2.2 r4.2", "w2.2 w4.2"),
]


@pytest.mark.parametrize(("widths", "offset", "size", "reads", "writes"), CALLS)
def test_the_device_is_called_no_more_than_needed(
    widths: tuple[int, int], offset: int, size: int, reads: str, writes: str
) -> None:
    row = Row(*widths, "little")
    space = row.space()
    space.load(offset, size)
    assert " ".join(f"{c}{o}.{s}" for c, o, s in row.calls) == reads
    row.calls.clear()
    space.store(offset, size, 0)
    assert " ".join(f"{c}{o}.{s}" for c, o, s in row.calls) == writes


def test_a_word_whose_reading_fails_is_not_written() -> None:
    row = Row(4, 4, "little", attrs=True)
    row.failing = 4
    space, before = row.space(), bytes(row.data)
    assert space.load_result(2, 4)[1] is ERROR
    assert space.store(2, 4, 0xFFFFFFFF) is ERROR
    assert space.store(6, 4, 0xEEEEEEEE) is ERROR
    assert row.data[:4] == before[:2] + b"\xff\xff"
    assert row.data[4:8] == before[4:8]
    assert row.data[8:10] == b"\xee\xee"


def test_without_valid_unaligned_a_narrow_access_is_widened_where_it_is() -> None:
    """QEMU 7.2 calls a 4-byte register at offset 1 for a byte there; its devices know that."""
    calls: list[tuple[int, ...]] = []

    def read(offset: int, size: int) -> int:
        calls.append((offset, size))
        return 0x44332211

    ops = MemoryRegionOps(read=read, write=lambda *args: calls.append(args), impl=AccessSizes(4, 4))
    memory = MemorySystem()
    space = memory.address_space("space", memory.io("io", 8, ops))
    assert space.load(1, 1) == 0x11
    space.store(1, 1, 0xAB)
    assert calls == [(1, 4), (1, 0xAB, 4)]


@pytest.mark.parametrize("impl", [AccessSizes(4, 4), AccessSizes(4, 4, unaligned=True)])
def test_who_does_not_accept_unaligned_accesses_gets_none(impl: AccessSizes) -> None:
    """Implementing them is not accepting them."""
    calls: list[tuple[int, int]] = []

    def read(offset: int, size: int) -> int:
        calls.append((offset, size))
        return 0

    ops = MemoryRegionOps(read=read, valid=AccessSizes(4, 4), impl=impl)
    memory = MemorySystem()
    space = memory.address_space("space", memory.io("io", 0x10, ops))
    assert space.load_result(2, 4) == (0, DECODE_ERROR)
    assert calls == []


# -- the real one ----------------------------------------------------------------------------------


class TestDevice:
    """QEMU's ``pc-testdev``: a row of memory, and the same 4 bytes at two runs of ports.

    Sizes are QEMU 7.2's: the memory and the first ports take what comes, up to 4 bytes; the other
    ports are implemented as bytes.
    """

    __test__ = False
    MEMORY, PORTS, BYTE_PORTS = 0xFF00_0000, 0xE0, 0xE8

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.row = bytearray(0x10000)
        self.word = bytearray(4)
        row = MemoryRegionOps(
            read=lambda o, s: int.from_bytes(self.row[o : o + s], "little"),
            write=self._write_row,
            endianness=Endianness.LITTLE,
        )
        system = self.memory.container("system", 1 << 64)
        system.add_subregion(self.MEMORY, self.memory.io("iomem", 0x10000, row))
        io = self.memory.io("io", 0x10000, None)
        byte = AccessSizes(1, 1)
        for at, impl in ((self.PORTS, AccessSizes()), (self.BYTE_PORTS, byte)):
            ops = MemoryRegionOps(
                read=lambda o, s: int.from_bytes(self.word[o : o + s], "little"),
                write=self._write_word,
                impl=impl,
            )
            io.add_subregion(at, self.memory.io("ioport", 4, ops))
        self.system = self.memory.address_space("memory", system)
        self.io = self.memory.address_space("I/O", io)

    def _write_row(self, offset: int, value: int, size: int) -> None:
        self.row[offset : offset + size] = value.to_bytes(size, "little")

    def _write_word(self, offset: int, value: int, size: int) -> None:
        self.word[offset : offset + size] = value.to_bytes(size, "little")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("how it cuts accesses up")
def test_sizes_and_alignments_are_answered_as_qemu_answers_them() -> None:
    chance, ours = random.Random(41), TestDevice()
    commands: list[str] = []
    expected: list[str] = []
    letters = {1: "b", 2: "w", 4: "l", 8: "q"}
    for _ in range(1500):
        size = chance.choice([1, 2, 4, 8])
        value = chance.getrandbits(8 * size)
        if chance.random() < 0.5:
            at = ours.MEMORY + chance.randrange(0x100)
            commands.append(f"write{letters[size]} {at:#x} {value:#x}")
            ours.system.store(at, size, value)
            commands.append(f"read{letters[size]} {at & ~7:#x}")
            number = ours.system.load(at & ~7, size)
        else:
            size = min(size, 4)
            base = chance.choice([ours.PORTS, ours.BYTE_PORTS])
            at = base + chance.randrange(0, 5 - size)
            value &= (1 << 8 * size) - 1
            commands.append(f"out{letters[size]} {at:#x} {value:#x}")
            ours.io.store(at, size, value)
            at = base + chance.randrange(0, 5 - size)
            commands.append(f"in{letters[size]} {at:#x}")
            number = ours.io.load(at, size)
        expected += ["", f"{number:#x}"]
    with Qemu("-m", "16M", "-device", "pc-testdev") as qemu:
        replies = qemu.qtest_many(commands)
    assert [hex(int(r, 16)) if r else "" for r in replies] == expected
