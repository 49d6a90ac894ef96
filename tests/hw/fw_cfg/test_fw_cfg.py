"""fw_cfg: selector and data port, file directory, DMA; and all of it against QEMU's."""

from __future__ import annotations

import random
import struct

import pytest

from guestmap.base import ConfigError
from guestmap.hw.device import Space
from guestmap.hw.fw_cfg import FwCfg
from guestmap.machine.placement import MapPlacer
from guestmap.memory import AddressSpace, MemorySystem
from tests.support.bus import place, random_accesses
from tests.support.qemu import Qemu

SELECTOR, DATA, DMA = 0x510, 0x511, 0x514
ERROR, READ, SKIP, SELECT, WRITE = 0x01, 0x02, 0x04, 0x08, 0x10
RAM_SIZE = 0x20000


class Machine:
    """fw_cfg on its ports, beside a little RAM."""

    def __init__(self, *, dma: bool = True) -> None:
        self.memory = MemorySystem()
        self.ram: AddressSpace = place(self.memory.ram("ram", RAM_SIZE), 0)
        self.fw_cfg = FwCfg(self.ram if dma else None)
        ports = self.memory.container("io", 0x10000)
        MapPlacer(self.memory).place({Space.IO: ports}, self.fw_cfg)
        self.ports: AddressSpace = self.memory.address_space("I/O", ports)
        self.fw_cfg.add_bytes(0, b"QEMU")
        self.fw_cfg.reset()

    def read(self, key: int, length: int) -> bytes:
        self.ports.store(SELECTOR, 2, key)
        return bytes(self.ports.load(DATA, 1) for _ in range(length))

    def dma(self, control: int, length: int, address: int, *, at: int = 0x100) -> int:
        """Run one request and return the control word it leaves behind."""
        self.ram.write(at, struct.pack(">IIQ", control, length, address))
        self.ports.store(DMA, 4, int.from_bytes(struct.pack(">I", at >> 32), "little"))
        self.ports.store(DMA + 4, 4, int.from_bytes(struct.pack(">I", at), "little"))
        return int.from_bytes(self.ram.read(at, 4), "big")


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_reset_selects_the_signature(machine: Machine) -> None:
    assert [machine.ports.load(DATA, 1) for _ in range(6)] == [*b"QEMU", 0, 0]
    machine.fw_cfg.reset()
    assert machine.ports.load(SELECTOR, 1) == ord("Q")


def test_selecting_starts_again_from_the_first_byte(machine: Machine) -> None:
    machine.fw_cfg.add_bytes(5, b"\x04\x00")
    assert machine.read(5, 3) == b"\x04\x00\x00"
    assert machine.read(5, 1) == b"\x04"


def test_architecture_items_are_others(machine: Machine) -> None:
    machine.fw_cfg.add_bytes(0x8002, b"\x01")
    assert machine.read(0x8002, 1) == b"\x01"
    assert machine.read(0x0002, 1) == b"\x00"


def test_nothing_selected_reads_0(machine: Machine) -> None:
    for key in (0x18, 0x40, 0x3FFF, 0x8040, 0xFFFF):
        assert machine.read(key, 4) == bytes(4)


def test_the_directory_is_sorted_by_name(machine: Machine) -> None:
    machine.fw_cfg.add_file("etc/b", b"12345")
    machine.fw_cfg.add_file("bootorder", b"")
    machine.fw_cfg.add_file("etc/a", b"xyz")
    raw = machine.read(0x19, 4 + 3 * 64)
    assert raw[:4] == struct.pack(">I", 3)
    entries = [*struct.iter_unpack(">IHH56s", raw[4:])]
    assert [(name.rstrip(b"\0"), size, key) for size, key, _, name in entries] == [
        (b"bootorder", 0, 0x20),
        (b"etc/a", 3, 0x21),
        (b"etc/b", 5, 0x22),
    ]
    assert machine.read(0x21, 4) == b"xyz\0"
    assert machine.read(0x22, 5) == b"12345"
    assert machine.fw_cfg.files == {"bootorder": 0x20, "etc/a": 0x21, "etc/b": 0x22}


def test_a_file_can_be_replaced(machine: Machine) -> None:
    machine.fw_cfg.add_file("etc/a", b"old")
    machine.fw_cfg.add_file("etc/a", b"newer")
    assert machine.fw_cfg.files == {"etc/a": 0x20}
    assert machine.fw_cfg.item(0x20) == b"newer"


@pytest.mark.parametrize("name", ["", "x" * 56, "etc/\xfc"])
def test_names_that_no_file_can_have(machine: Machine, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        machine.fw_cfg.add_file(name, b"")


def test_the_slots_run_out(machine: Machine) -> None:
    for number in range(32):
        machine.fw_cfg.add_file(f"file{number}", b"")
    machine.fw_cfg.add_file("file7", b"replaced")
    with pytest.raises(ConfigError, match="slot"):
        machine.fw_cfg.add_file("one more", b"")


@pytest.mark.parametrize("key", [0x19, 0x20, 0x3F, 0x40, 0x8040, -1, 0x10000])
def test_keys_that_cannot_be_set(machine: Machine, key: int) -> None:
    with pytest.raises(ConfigError, match="fw_cfg item"):
        machine.fw_cfg.add_bytes(key, b"")


def test_the_dma_port_shows_a_signature(machine: Machine) -> None:
    assert machine.ports.read(DMA, 8) == b"QEMU CFG"
    assert machine.ports.load(DMA, 4) == 0x554D4551


def test_dma_selects_skips_and_reads(machine: Machine) -> None:
    machine.fw_cfg.add_bytes(0x30 - 0x20, b"0123456789")
    machine.ram.write(0x1000, b"." * 8)
    assert machine.dma(0x10 << 16 | SELECT | READ, 4, 0x1000) == 0
    assert machine.dma(SKIP, 3, 0) == 0
    assert machine.dma(READ, 2, 0x1004) == 0
    assert machine.ram.read(0x1000, 8) == b"012378.."


@pytest.mark.parametrize(
    ("offset", "size", "runs"),
    [(0, 8, True), (4, 4, True), (4, 2, False), (6, 2, False), (4, 1, False), (7, 1, False)],
)
def test_dma_is_asked_for_by_four_bytes_or_by_eight(
    machine: Machine, offset: int, size: int, runs: bool
) -> None:
    """A guest has the request's address written, high half first, and the low half starts it."""
    machine.ram.write(0x100, struct.pack(">IIQ", SELECT | READ, 4, 0x1000))
    address = struct.pack(">Q", 0x100)[offset : offset + size]
    machine.ports.store(DMA + offset, size, int.from_bytes(address, "little"))
    assert machine.ram.read(0x100, 4) == (bytes(4) if runs else struct.pack(">I", SELECT | READ))
    assert machine.ram.read(0x1000, 4) == (b"QEMU" if runs else bytes(4))


def test_dma_fills_up_with_zeros(machine: Machine) -> None:
    machine.ram.write(0x1000, b"." * 8)
    assert machine.dma(0 << 16 | SELECT | READ, 7, 0x1000) == 0
    assert machine.ram.read(0x1000, 8) == b"QEMU\0\0\0."


def test_dma_writes_what_may_be_written(machine: Machine) -> None:
    seen: list[bytes] = []
    machine.fw_cfg.add_file(
        "etc/w", b"0123456789", writable=True, on_write=lambda data: seen.append(bytes(data))
    )
    machine.ram.write(0x1000, b"abcd")
    assert machine.dma(0x20 << 16 | SELECT | SKIP, 2, 0) == 0
    assert machine.dma(WRITE, 4, 0x1000) == 0
    assert machine.fw_cfg.item(0x20) == b"01abcd6789"
    assert seen == [b"01abcd6789"]
    assert machine.read(0x20, 10) == b"01abcd6789"


def test_what_the_guest_has_written_is_saved_and_loaded(machine: Machine) -> None:
    machine.fw_cfg.add_file("etc/r", b"4567")
    machine.fw_cfg.add_file("etc/w", b"0123", writable=True)
    machine.ram.write(0x1000, b"abcd")
    assert machine.dma(0x21 << 16 | SELECT | WRITE, 4, 0x1000) == 0
    state = machine.fw_cfg.save()
    other = Machine()
    other.fw_cfg.add_file("etc/r", b"4567")
    other.fw_cfg.add_file("etc/w", b"0123", writable=True)
    other.fw_cfg.load(state)
    assert (other.read(0x20, 4), other.read(0x21, 4)) == (b"4567", b"abcd")


def test_dma_writes_nothing_else(machine: Machine) -> None:
    machine.fw_cfg.add_file("etc/r", b"0123")
    machine.fw_cfg.add_file("etc/w", b"0123", writable=True)
    machine.ram.write(0x1000, b"abcdefgh")
    read_only, too_long, no_item, no_memory = 0x20, 0x21, 0x3E, 0x21
    for key, length, address in [
        (read_only, 4, 0x1000),
        (too_long, 5, 0x1000),
        (no_item, 1, 0x1000),
        (no_memory, 4, RAM_SIZE),
    ]:
        assert machine.dma(key << 16 | SELECT | WRITE, length, address) == ERROR
    assert machine.fw_cfg.item(0x20) == machine.fw_cfg.item(0x21) == b"0123"


def test_dma_to_nowhere_is_an_error(machine: Machine) -> None:
    assert machine.dma(SELECT | READ, 4, RAM_SIZE) == ERROR
    assert machine.dma(SELECT | READ, 8, RAM_SIZE - 2) == ERROR
    assert machine.dma(0x7FFF << 16 | SELECT | READ, 8, RAM_SIZE) == ERROR
    machine.ports.store(DMA + 4, 4, 0)  # a request read from address 0: all zeros, so no work
    assert machine.ram.read(0, 4) == bytes(4)


def test_without_dma_a_request_is_ignored() -> None:
    machine = Machine(dma=False)
    assert machine.dma(SELECT | READ, 4, 0x1000) == SELECT | READ
    assert machine.ports.read(DMA, 4) == b"QEMU"


def test_no_access_raises(machine: Machine) -> None:
    rng = random.Random(11)
    machine.fw_cfg.add_file("etc/w", bytes(100), writable=True)
    for region, port in zip(machine.fw_cfg.regions, (SELECTOR, DMA), strict=True):
        for is_write, offset, size, value in random_accesses(region, rng, 5_000):
            if is_write:
                machine.ports.store(port + offset, size, value)
            else:
                assert 0 <= machine.ports.load(port + offset, size) < 1 << 8 * size


def test_no_dma_request_raises(machine: Machine) -> None:
    rng = random.Random(12)
    machine.fw_cfg.add_file("etc/w", bytes(100), writable=True)
    for _ in range(2_000):
        address = rng.choice([rng.randrange(RAM_SIZE), rng.getrandbits(64), (1 << 64) - 3])
        key = rng.choice([0, 5, 0x19, 0x20, 0xFFFF, rng.getrandbits(16)])
        machine.dma(
            key << 16 | rng.getrandbits(5), rng.choice([0, 1, 99, 100, 101, 5000]), address,
            at=rng.randrange(RAM_SIZE - 16),
        )  # fmt: skip


class Both:
    """The same port and memory accesses to QEMU and to ours; what is read must be the same."""

    def __init__(self, machine: Machine, qemu: Qemu) -> None:
        self.machine, self.qemu = machine, qemu

    def store(self, port: int, size: int, value: int) -> None:
        letter = {1: "b", 2: "w", 4: "l"}[size]
        self.qemu.qtest(f"out{letter} {port:#x} {value:#x}")
        self.machine.ports.store(port, size, value)

    def load(self, port: int, size: int) -> None:
        letter = {1: "b", 2: "w", 4: "l"}[size]
        theirs = int(self.qemu.qtest(f"in{letter} {port:#x}"), 16)
        assert self.machine.ports.load(port, size) == theirs, f"in{letter} {port:#x}"

    def dma(self, control: int, length: int, address: int, at: int) -> None:
        request = struct.pack(">IIQ", control, length, address)
        self.qemu.write(at, request)
        self.machine.ram.write(at, request)
        self.store(DMA + 4, 4, int.from_bytes(struct.pack(">I", at), "little"))
        if address < RAM_SIZE:
            theirs = self.qemu.read(address, 0x200)
            assert self.machine.ram.read(address, 0x200) == theirs
        assert self.machine.ram.read(at, 16) == self.qemu.read(at, 16)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its fw_cfg answers")
@pytest.mark.parametrize("seed", range(4))
def test_random_traffic_is_answered_as_qemu_does(machine: Machine, seed: int) -> None:
    rng = random.Random(seed)
    text = bytes(rng.randrange(1, 128) for _ in range(50)).replace(b",", b".").decode()
    with Qemu("-m", "1M", "-fw_cfg", f"name=opt/test,string={text}") as qemu:
        names = qemu_files(qemu)
        for name, (_, content) in names.items():
            machine.fw_cfg.add_file(name, content)
        keys = [key for key, _ in names.values()]
        assert machine.fw_cfg.files == {name: key for name, (key, _) in names.items()}
        both = Both(machine, qemu)
        both.store(SELECTOR, 2, 0)
        for _ in range(300):
            what = rng.random()
            key = rng.choice([0, 0x19, *keys, 0x3F, 0x40, 0xFFFF])
            if what < 0.3:
                both.store(SELECTOR, 2, key | rng.choice([0, 0, 0x4000]))
            elif what < 0.6:
                both.load(rng.choice([SELECTOR, DATA]), 1)
            elif what < 0.7:
                both.load(DMA + rng.randrange(4), rng.choice([1, 2, 4]))
            elif what < 0.75:
                both.load(SELECTOR, rng.choice([2, 4]))
            elif what < 0.8:
                both.store(SELECTOR, rng.choice([1, 4]), rng.getrandbits(8))
            else:
                address = rng.choice([0x1000, 0x8000, 0x1FC00, 1 << 40])
                control = key << 16 | rng.choice([READ, SKIP, SELECT | READ, WRITE, SELECT, 0])
                both.dma(control, rng.choice([0, 1, 4, 30, 300]), address, rng.choice([0, 0x500]))


def qemu_files(qemu: Qemu) -> dict[str, tuple[int, bytes]]:
    """Return key and content of every file that QEMU has."""

    def item(key: int, length: int) -> bytes:
        qemu.outw(SELECTOR, key)
        return bytes(int(reply, 16) for reply in qemu.qtest_many([f"inb {DATA}"] * length))

    (count,) = struct.unpack(">I", item(0x19, 4))
    entries = [*struct.iter_unpack(">IHH56s", item(0x19, 4 + 64 * count)[4:])]
    return {name.rstrip(b"\0").decode(): (key, item(key, size)) for size, key, _, name in entries}
