"""String instructions through something like memory: gone on with at once, they do the same."""

from __future__ import annotations

import random
import struct
from typing import Any

import pytest

from guestmap.accel import ExitReason, SegmentRegister
from guestmap.memory import AccessSizes, MemoryRegionOps
from tests.accel.guest import CODE, DEVICE, Guest
from tests.accel.test_interrupts import PF, protected, set_gate

AT, SIZE = 0xE0010000, 0x2000
IN_REAL_MODE = 0xA0000
RAM = 0x10000
OWN = 0xE0020000
"""Memory of the device's own."""
_REGISTERS = "eax", "ecx", "esi", "edi", "eip"
_CODES = {(1, True): b"\xa4", (2, True): b"\x66\xa5", (4, True): b"\xa5",
          (1, False): b"\xaa", (2, False): b"\x66\xab", (4, False): b"\xab"}  # fmt: skip
_TURNED = b"\x88\x47\xff\xfd\xeb\x00"  # mov [edi - 1], al; std; a new block
_SWAPPED = b"".join((
    b"\x88\x07\x8a\x07\x88\x06\x8a\x06",  # bytes at edi and esi: how that is done is known
    b"\xb8\x00\x00\x02\x00\x0f\x22\xd8",  # mov eax, 0x20000; mov cr3, eax
    b"\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0\xeb\x00",  # cr0 |= PG; a new block
))  # fmt: skip
"""Code that switches paging on, in which the device's first two pages have changed places."""


class Outcome:
    """What a program did, and how often many accesses of it were made in one go."""

    def __init__(
        self, engine: str, program: bytes, *, like_memory: bool, real: bool = False,
        watched: bool = False, wrong: int = -1, in_runs: bool = False, **registers: int,
    ) -> None:  # fmt: skip
        self.heard: list[Any] = []
        self.cells = bytearray(range(256)) * (SIZE // 256)
        base = IN_REAL_MODE if real else AT

        def read(offset: int, size: int) -> int:
            self.heard.append(("r", offset, size))
            return int.from_bytes(self.cells[offset : offset + size], "little")

        def write(offset: int, value: int, size: int) -> None:
            self.heard.append(("w", offset, value, size))
            self.cells[offset : offset + size] = value.to_bytes(size, "little")
            if len(self.heard) == wrong:
                raise ZeroDivisionError

        def move_run(to: int, come: int, count: int, size: int) -> bool:
            self.runs.append(("m", to, come, count, size))
            self.cells[to : to + count * size] = self.cells[come : come + count * size]
            return True

        def write_run(offset: int, data: bytes) -> bool:
            self.runs.append(("w", offset, len(data)))
            self.cells[offset : offset + len(data)] = data
            return True

        self.runs: list[Any] = []
        ops = MemoryRegionOps(
            read=read, write=write, impl=AccessSizes(min=1, max=4), like_memory=like_memory,
            move_run=move_run if in_runs else None, write_run=write_run if in_runs else None,
        )  # fmt: skip
        with Guest(engine) as guest:
            device = guest.system.io("device", SIZE, ops, owner=guest)
            guest.root.add_subregion(base, device, 1)
            guest.root.add_subregion(OWN, guest.system.ram("own", SIZE, owner=guest), 1)
            _write_page_tables(guest)
            guest.memory.write(RAM, random.Random(1).randbytes(0x4000))
            if watched:
                guest.vcpu.probe.watch([])
            (guest.real if real else guest.flat)(program, **registers)
            if real:
                data = guest.vcpu.read_segment(SegmentRegister.ES)
                for each in (SegmentRegister.ES, SegmentRegister.DS):
                    guest.vcpu.write_segment(each, data._replace(base=base, selector=base >> 4))
            self.raised = False
            try:
                assert guest.run().reason is ExitReason.HALTED
            except ZeroDivisionError:
                self.raised = True
            self.registers = {name: guest.register(name) for name in _REGISTERS}
            self.ram = guest.memory.read(RAM - 0x1000, 0x6000)
            counts = guest.accelerator.statistics()
            self.strings = counts.strings
            self.counted = counts.mmio_reads, counts.mmio_writes

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Outcome) and all(
            getattr(self, name) == getattr(other, name)
            for name in ("heard", "cells", "registers", "ram", "counted", "raised")
        )

    __hash__ = None  # type: ignore[assignment]


def _write_page_tables(guest: Guest) -> None:
    """Write a directory at 20000h whose tables map all of RAM, and the device, pages swapped."""
    low = [at << 12 | 3 for at in range(1024)]
    high = [(AT & 0xFFC00000) + (at << 12) | 3 for at in range(1024)]
    first = AT >> 12 & 0x3FF
    high[first : first + 2] = high[first + 1], high[first]
    guest.memory.write(0x21000, struct.pack("<1024I", *low))
    guest.memory.write(0x22000, struct.pack("<1024I", *high))
    guest.memory.store(0x20000, 4, 0x21003)
    guest.memory.store(0x20000 + 4 * (AT >> 22), 4, 0x22003)


def _same(program: bytes, **options: Any) -> tuple[Outcome, Outcome]:
    """Return what was gone on with, and what was not, which come to the same."""
    ours = Outcome("unicorn", program, like_memory=True, **options)
    alone = Outcome("unicorn", program, like_memory=False, **options)
    assert ours.heard == alone.heard
    assert ours == alone
    return ours, alone


def _rep(size: int, *, moves: bool, prefix: bytes = b"") -> bytes:
    return prefix + b"\xf3" + _CODES[size, moves] + b"\xf4"


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("source", [RAM, AT + 0x200, AT + 0xFC, AT + 0x104], ids=hex)
def test_it_does_what_the_cpu_does(source: int, size: int, moves: bool) -> None:
    """From memory, from the device itself, and from where it has just been written to."""
    program = _rep(size, moves=moves)
    ours, alone = _same(program, eax=0x12345678, ecx=300, esi=source, edi=AT + 0x100)
    assert (ours.strings, alone.strings) == (1, 0)
    assert ours.registers["ecx"] == 0
    assert ours.registers["edi"] == AT + 0x100 + 300 * size


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize(
    ("source", "at_once"), [(AT + 0x800, 1), (AT + 0x104, 1), (AT + 0xFC, 0), (RAM, 1), (OWN, 0)]
)
def test_a_device_takes_many_at_once(source: int, at_once: int, size: int, moves: bool) -> None:
    """Where what is read is not what was written just before, nor may be the same elsewhere."""
    program = _rep(size, moves=moves)
    registers = {"eax": 0x12345678, "ecx": 300, "esi": source, "edi": AT + 0x100}
    ours = Outcome("unicorn", program, like_memory=True, in_runs=True, **registers)
    alone = Outcome("unicorn", program, like_memory=False, **registers)
    assert len(ours.runs) == (at_once if moves else 1)
    for name in ("cells", "registers", "ram", "counted"):
        assert getattr(ours, name) == getattr(alone, name), name


@pytest.mark.parametrize("engine", ["unicorn", "unicorn-documented"])
def test_engines_agree(engine: str) -> None:
    registers = {"eax": 7, "ecx": 500, "esi": AT + 3, "edi": AT}
    ours = Outcome(engine, _rep(1, moves=True), like_memory=True, **registers)
    assert ours.cells[:500] == bytes((at + 3) & 0xFF for at in range(500))
    assert (ours.registers["ecx"], ours.registers["esi"]) == (0, AT + 503)


@pytest.mark.parametrize("prefix", [b"", b"\x26", b"\x36\x3e"], ids=lambda each: each.hex() or "-")
def test_16_bit_registers_keep_their_upper_halves(prefix: bytes) -> None:
    ours, _ = _same(
        prefix + b"\xf3\xa4\xf4", real=True,
        ecx=0xABCD0300, esi=0x11110010, edi=0x22220000,
    )  # fmt: skip
    assert ours.strings == 1
    assert ours.registers["ecx"] == 0xABCD0000
    assert ours.registers["edi"] == 0x22220300


@pytest.mark.parametrize(
    ("what", "program", "registers"),
    [
        ("downward", _TURNED + _rep(1, moves=True), {"edi": AT + 0x400, "esi": AT + 0x900}),
        ("unaligned", _rep(4, moves=True), {"edi": AT + 1, "esi": AT + 0x900}),
        ("beyond its end", _rep(1, moves=True), {"edi": AT + SIZE - 100, "esi": AT}),
        ("from another device", _rep(1, moves=True), {"edi": AT, "esi": DEVICE}),
        ("few", _rep(1, moves=True), {"edi": AT, "esi": AT + 0x900, "ecx": 6}),
        ("a loop", b"\x88\x07\x47\xe2\xfb\xf4", {"edi": AT}),
    ],
)
def test_what_is_left_to_the_cpu(what: str, program: bytes, registers: dict[str, int]) -> None:
    ours, _ = _same(program, **({"ecx": 200} | registers))
    assert not ours.strings, what


@pytest.mark.parametrize("moves", [True, False])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("come", [AT + 0x1400, AT + 0x400, RAM + 0xF80], ids=hex)
def test_where_addresses_are_translated_it_goes_from_page_to_page(
    come: int, size: int, moves: bool
) -> None:
    """The device's two pages have changed places."""
    to = AT + 0xF00
    ours, _ = _same(
        _SWAPPED + _rep(size, moves=moves), eax=0x55AA1234, ecx=0x400 // size, esi=come, edi=to
    )
    assert ours.strings == (3 if moves and come == RAM + 0xF80 else 2)
    assert ours.registers["edi"] == to + 0x400


def test_whoever_watches_the_cpu_hears_each_access() -> None:
    ours, _ = _same(_rep(1, moves=True), watched=True, ecx=200, esi=AT + 0x100, edi=AT)
    assert not ours.strings


def test_more_than_goes_at_once_goes_on() -> None:
    ours, _ = _same(_rep(1, moves=False), eax=0x5A, ecx=SIZE, edi=AT)
    assert ours.strings == 2
    assert set(ours.cells) == {0x5A}


def test_who_rings_meanwhile_is_heard_before_it_goes_on() -> None:
    with Guest("unicorn") as guest:

        def write(offset: int, _value: int, _size: int) -> None:
            if offset == 1:
                guest.loop.stop()

        ops = MemoryRegionOps(
            write=write, impl=AccessSizes(min=1, max=4), like_memory=True,
            write_run=lambda _offset, _data: True,
        )  # fmt: skip
        guest.root.add_subregion(AT, guest.system.io("device", SIZE, ops, owner=guest), 1)
        guest.flat(_rep(1, moves=False), eax=1, ecx=SIZE, edi=AT)
        assert guest.run().reason is ExitReason.STOPPED
        assert 0 < guest.register("ecx") < SIZE
        assert guest.run().reason is ExitReason.HALTED
        assert (guest.register("ecx"), guest.register("edi")) == (0, AT + SIZE)


def test_what_the_device_raises_comes_out() -> None:
    """The access that it raised in counts: the CPU is behind it."""
    ours = Outcome(
        "unicorn", _rep(1, moves=False), like_memory=True, wrong=50, eax=1, ecx=200, edi=AT
    )
    assert ours.raised
    assert len(ours.heard) == 50
    assert (ours.registers["ecx"], ours.registers["edi"]) == (150, AT + 50)


@pytest.mark.parametrize("seed", range(4))
def test_random_ones(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(6):
        size = chance.choice((1, 2, 4))
        places = AT + chance.randrange(0x800) * 4, RAM + chance.randrange(0x800)
        _same(
            _rep(size, moves=chance.random() < 0.7), eax=chance.getrandbits(32),
            ecx=chance.randrange(400), esi=chance.choice(places),
            edi=AT + chance.randrange(0x600) * chance.choice((1, 4)),
        )  # fmt: skip


def test_ring_3_reads_nothing_that_is_not_its_own() -> None:
    """Two bytes go to the device by themselves; the CPU itself finds out about the third's page."""
    cells = bytearray(SIZE)

    def write(offset: int, value: int, _size: int) -> None:
        cells[offset] = value

    user = CODE + 0x100
    with Guest("unicorn") as guest:
        ops = MemoryRegionOps(write=write, impl=AccessSizes(min=1, max=4), like_memory=True)
        guest.root.add_subregion(AT, guest.system.io("device", SIZE, ops, owner=guest), 1)
        protected(guest, b"".join((
            b"\xb8\x00\x00\x02\x00\x0f\x22\xd8",  # mov eax, 0x20000; mov cr3, eax
            b"\x0f\x20\xc0\x0d\x00\x00\x00\x80\x0f\x22\xc0",  # cr0 |= PG
            b"\x6a\x23\x68\x00\x80\x00\x00\x6a\x02\x6a\x1b",  # push ss; esp; eflags; cs
            b"\x68", struct.pack("<I", user), b"\xcf",  # push eip; iret
        )), eax=1, ecx=200, esi=RAM, edi=AT)  # fmt: skip
        guest.memory.write(user, b"\xb0\x5a\xaa\xaa\xeb\x00\xf3\xa4")  # mov al; stosb twice; rep
        set_gate(guest, PF, b"\xf4")
        guest.memory.write(RAM, b"\x77" * 0x1000)
        _write_page_tables(guest)
        for directory in (0x20000, 0x20000 + 4 * (AT >> 22)):
            guest.memory.store(directory, 4, guest.memory.load(directory, 4) | 4)
        for table in (0x21000, 0x22000):
            entries = struct.unpack("<1024I", guest.memory.read(table, 0x1000))
            guest.memory.write(table, struct.pack("<1024I", *(each | 4 for each in entries)))
        guest.memory.store(0x21000 + 4 * (RAM >> 12), 4, RAM | 3)
        assert guest.run().reason is ExitReason.HALTED
        assert guest.register("ecx") == 200
    assert cells[0x1000:0x1003] == b"\x5a\x5a\x00"
