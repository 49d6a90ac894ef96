"""Which words an unaligned access reads and writes, and what becomes of failures and odd values.

The rule is that of QEMU's docs/devel/memory.rst ("emulated by two aligned accesses"), taken to all
word sizes: reads touch the words that hold the bytes and no others; writes touch those words too,
and read before only those of which they write a part.
"""

from __future__ import annotations

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

OK, ERROR, DECODE_ERROR = MemTxResult.OK, MemTxResult.ERROR, MemTxResult.DECODE_ERROR
ACCESS_ERROR = MemTxResult.ACCESS_ERROR
ROW = 0x20
PATTERN = bytes(range(0x80, 0x80 + ROW + 8))
WIDTHS = [(2, 2), (2, 4), (2, 8), (4, 4), (4, 8), (8, 8), (2, 0), (4, 0), (8, 0)]

Order = Literal["little", "big"]


class Words:
    """A row of bytes, accessed in words only; some words fail, and values have bits too many."""

    def __init__(
        self, widths: tuple[int, int], order: Order = "little", *, unaligned: bool = False
    ) -> None:
        self.data, self.order = bytearray(PATTERN), order
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int]] = []
        self.bad_reads: dict[int, MemTxResult] = {}
        self.bad_writes: dict[int, MemTxResult] = {}
        ops = MemoryRegionOps(
            read_with_attrs=self.read,
            write_with_attrs=self.write,
            endianness=Endianness.BIG if order == "big" else Endianness.LITTLE,
            valid=AccessSizes(1, 8, unaligned=True),
            impl=AccessSizes(*widths, unaligned),
        )
        memory = MemorySystem()
        self.space: AddressSpace = memory.address_space("space", memory.io("words", ROW, ops))

    def read(self, offset: int, size: int, attrs: MemTxAttrs) -> tuple[int, MemTxResult]:
        self.reads.append((offset, size))
        value = int.from_bytes(self.data[offset : offset + size], self.order)
        return value - (1 << 8 * size), self.bad_reads.get(offset, OK)

    def write(self, offset: int, value: int, size: int, attrs: MemTxAttrs) -> MemTxResult:
        self.writes.append((offset, size))
        self.data[offset : offset + size] = value.to_bytes(size, self.order)
        return self.bad_writes.get(offset, OK)


def spread(pieces: list[tuple[int, int]]) -> list[int]:
    return [at for offset, size in pieces for at in range(offset, offset + size)]


places = st.tuples(st.integers(0, ROW - 8), st.sampled_from([1, 2, 4, 8]))
some_widths = st.sampled_from(WIDTHS)
orders: st.SearchStrategy[Order] = st.sampled_from(["little", "big"])


def words_of(widths: tuple[int, int], offset: int, size: int) -> set[int]:
    """Return the narrowest words that hold the bytes, as their offsets."""
    return {at - at % widths[0] for at in range(offset, offset + size)}


@given(widths=some_widths, order=orders, place=places)
def test_a_read_touches_the_words_that_hold_the_bytes_once_each(
    widths: tuple[int, int], order: Order, place: tuple[int, int]
) -> None:
    row, (offset, size) = Words(widths, order), place
    expected = int.from_bytes(PATTERN[offset : offset + size], "little")
    assert row.space.load_result(offset, size) == (expected, OK)
    words = words_of(widths, offset, size)
    assert spread(row.reads) == spread([(word, widths[0]) for word in sorted(words)])
    assert row.writes == []


@given(widths=some_widths, order=orders, place=places, number=st.integers(0, (1 << 64) - 1))
def test_a_write_reads_only_the_words_that_it_writes_a_part_of(
    widths: tuple[int, int], order: Order, place: tuple[int, int], number: int
) -> None:
    row, (offset, size) = Words(widths, order), place
    assert row.space.store(offset, size, number) is OK
    data = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")
    expected = PATTERN[:offset] + data + PATTERN[offset + size :]
    assert row.data == expected
    words = words_of(widths, offset, size)
    parts = {at for at in words if at < offset or at + widths[0] > offset + size}
    assert row.reads == [(word, widths[0]) for word in sorted(parts)]
    assert spread(row.writes) == spread([(word, widths[0]) for word in sorted(words)])


@given(widths=some_widths, place=places, bad=st.integers(0, ROW - 1))
def test_a_word_that_cannot_be_read_keeps_its_bytes_and_the_others_are_written(
    widths: tuple[int, int], place: tuple[int, int], bad: int
) -> None:
    row, (offset, size), bad = Words(widths), place, bad - bad % widths[0]
    row.bad_reads[bad] = ACCESS_ERROR
    words = words_of(widths, offset, size)
    end, failing = offset + size, range(bad, bad + widths[0])
    fails = bad in words and (bad < offset or bad + widths[0] > end)
    expected = bytes(
        0 if offset <= at < end and not (fails and at in failing) else PATTERN[at]
        for at in range(len(PATTERN))
    )
    assert row.space.store(offset, size, 0) is (ACCESS_ERROR if fails else OK)
    assert row.data == expected


def test_the_failures_of_all_words_come_together() -> None:
    row = Words((4, 4))
    row.bad_reads = {0: ERROR, 4: ACCESS_ERROR}
    assert row.space.load_result(2, 4)[1] == ERROR | ACCESS_ERROR
    assert row.space.store(2, 4, 0) == ERROR | ACCESS_ERROR
    assert row.writes == []
    row.bad_reads, row.bad_writes = {8: ERROR}, {0xC: ACCESS_ERROR, 0x10: OK}
    assert row.space.store(0xA, 8, 0) == ERROR | ACCESS_ERROR
    assert row.writes == [(0xC, 4), (0x10, 4)]


@pytest.mark.parametrize(
    ("offset", "size", "call"), [(1, 2, (1, 2)), (3, 4, (3, 4)), (5, 1, (5, 2)), (2, 4, (2, 4))]
)
def test_who_implements_unaligned_accesses_gets_them_as_they_are(
    offset: int, size: int, call: tuple[int, int]
) -> None:
    row = Words((2, 4), unaligned=True)
    row.space.load(offset, size)
    row.space.store(offset, size, 0)
    assert row.reads == [call]
    assert row.writes == [call]


def test_a_size_that_is_not_valid_is_not_covered_either() -> None:
    calls: list[object] = []

    def accepts(offset: int, size: int, is_write: bool, attrs: MemTxAttrs) -> bool:
        return offset != 6

    ops = MemoryRegionOps(
        read=lambda *args: calls.append(args) or 0,  # type: ignore[func-returns-value]
        write=lambda *args: calls.append(args),
        valid=AccessSizes(2, 4, unaligned=True, accepts=accepts),
        impl=AccessSizes(4, 4),
    )
    memory = MemorySystem()
    space = memory.address_space("space", memory.io("words", ROW, ops))
    for offset, size in ((1, 1), (4, 1), (6, 4), (6, 2)):
        assert space.load_result(offset, size) == (0, DECODE_ERROR)
        assert space.load(offset, size) == 0
        assert space.store(offset, size, 0) is DECODE_ERROR
    assert calls == []
    assert space.load_result(5, 2) == (0, OK)
    assert calls == [(4, 4)]
