"""The microvm beside a real QEMU's: its map at reset, its registers, and firmware that runs."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

import pytest

from guestmap.base import GIB, ConfigError, ManualClock
from guestmap.firmware import find_bios
from guestmap.hw.acpi.ged import POWER_DOWN
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Phase, RunState, VirtualMachine, config_of, make_board
from guestmap.machine.boards.microvm.board import Microvm
from tests.machine.tree.test_composition_qemu import assert_same_objects, objects_like
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu
from tests.support.qom import our_objects

pytestmark = [pytest.mark.seabios]

_DIRECTORY = 0x19
"""The item that lists the files."""

modelled = pytest.mark.qemu_7_2("its microvm")

MAPS = {
    "plain": ["-m", "128M"],
    "little RAM": ["-m", "1M"],
    "RAM to the limit": ["-m", "3G"],
    "RAM beyond it": ["-m", "3073M"],
    "more RAM": ["-m", "5G"],
    "CPUs": ["-m", "64M", "-smp", "3"],
    "no PIC": ["-M", "pic=off"],
    "no PIT": ["-M", "pit=off"],
    "no clock chip": ["-M", "rtc=off"],
    "nothing old": ["-M", "pic=off,pit=off,rtc=off,isa-serial=off"],
    "one I/O APIC": ["-M", "ioapic2=off"],
    "no ACPI": ["-M", "acpi=off"],
    "no ACPI, two wanted": ["-M", "acpi=off,ioapic2=on"],
    "automatic": ["-M", "pic=auto,pit=auto,rtc=auto,ioapic2=auto,auto-kernel-cmdline=off"],
    "a back-end": ["-m", "64M", "-object", "memory-backend-ram,id=m0,size=64M",
                   "-M", "memory-backend=m0"],
}  # fmt: skip


def _qemu(*words: str) -> Qemu:
    return Qemu("-M", "microvm", *words, machine=False, vapic=True)


def _ours(*words: str) -> Microvm:
    made = make_board(config_of(["-M", "microvm", *words]), ManualClock(), epoch_ns=0)
    assert isinstance(made, Microvm)
    return made


def _needs_qboot(words: list[str]) -> None:
    if any("acpi=off" in word for word in words):
        try:
            find_bios(None, name="qboot.rom")
        except ConfigError:
            pytest.skip("needs qboot.rom (package qemu-system-data)")


@modelled
@pytest.mark.qemu
@pytest.mark.parametrize("case", MAPS)
@pytest.mark.parametrize("defaults", [True, False], ids=["defaults", "nodefaults"])
def test_the_map_at_reset_is_qemus(case: str, defaults: bool) -> None:
    words = MAPS[case] if defaults else ["-nodefaults", *MAPS[case]]
    _needs_qboot(words)
    snapshot = Snapshot.of(_ours(*words).system)
    with _qemu(*words) as qemu:
        for command, ours in (
            ("info mtree", write_mtree(snapshot)), ("info mtree -f", write_flat(snapshot)),
        ):  # fmt: skip
            assert blocks(ours) == blocks(qemu.hmp(command)), command


@modelled
@pytest.mark.qemu
@pytest.mark.parametrize("case", ["plain", "CPUs", "more RAM", "nothing old", "one I/O APIC"])
def test_the_objects_are_qemus(case: str) -> None:
    words = ["-nodefaults", *MAPS[case]]
    ours = our_objects(_ours(*words).tree)
    with _qemu(*words) as qemu:
        theirs = objects_like(ours, qemu)
    for each in (ours, theirs):  # the time of day
        each["/machine"].pop("rtc-time", None)
    assert_same_objects(ours, theirs)


@pytest.fixture(scope="module")
def qemu() -> Iterator[Qemu]:
    with _qemu("-nodefaults", "-m", "128M", "-rtc", "base=1970-01-01T00:00:00,clock=vm") as made:
        yield made


@modelled
@pytest.mark.qemu
def test_registers_read_as_qemus(qemu: Qemu) -> None:
    board = _ours("-nodefaults", "-m", "128M")
    draw = random.Random(1)
    ranges = [(0xFEB0_0000, 24 * 0x200), (0xFEA0_0000, 0x204), (0xFEC0_0000, 0x20),
              (0xFEC1_0000, 0x20)]  # fmt: skip
    for _ in range(400):
        start, length = draw.choice(ranges)
        size = draw.choice((1, 2, 4))
        address = start + draw.randrange(0, length - 4) // size * size
        if draw.random() < 0.3 and start != 0xFEA0_0000:
            value = draw.getrandbits(8 * size)
            board.memory.store(address, size, value)
            qemu.store(address, size, value)
        assert board.memory.load(address, size) == qemu.load(address, size), hex(address)


@modelled
@pytest.mark.qemu
def test_each_transport_says_who_it_is(qemu: Qemu) -> None:
    board = _ours("-nodefaults", "-m", "128M")
    for index in range(24):
        base = 0xFEB0_0000 + 0x200 * index
        ids = [board.memory.load(base + offset, 4) for offset in (0, 4, 8, 12)]
        assert ids == [qemu.load(base + offset, 4) for offset in (0, 4, 8, 12)]
        assert ids[0].to_bytes(4, "little") == b"virt"
        assert ids[2] == 0  # nobody is plugged in


@modelled
@pytest.mark.qemu
@pytest.mark.parametrize("ram", ["128M", "5G"])
def test_the_clock_chip_tells_the_memory_as_in_qemu(ram: str) -> None:
    board = _ours("-nodefaults", "-m", ram)
    with _qemu("-nodefaults", "-m", ram) as theirs:
        for index in range(0x10, 0x80):
            if index in {0x32, 0x37}:
                continue  # the century
            theirs.outb(0x70, index)
            board.io.store(0x70, 1, index)
            assert board.io.load(0x71, 1) == theirs.inb(0x71), hex(index)


@modelled
@pytest.mark.qemu
def test_firmware_is_told_what_qemu_tells(qemu: Qemu) -> None:
    board = _ours("-nodefaults", "-m", "128M")
    for key in (0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0E, 0x0F, 0x8002, 0x8004):
        qemu.outw(0x510, key)
        board.io.store(0x510, 2, key)
        ours = [board.io.load(0x511, 1) for _ in range(16)]
        assert ours == [qemu.inb(0x511) for _ in range(16)], hex(key)


def _files(select: Callable[[int], object], read: Callable[[], int]) -> dict[str, bytes]:
    """Read fw_cfg's files, by its directory; no device tree, which no firmware of a PC reads."""

    def item(key: int, size: int) -> bytes:
        select(key)
        return bytes(read() for _ in range(size))

    (count,) = struct.unpack(">I", item(_DIRECTORY, 4))
    entries = struct.iter_unpack(">IHH56s", item(_DIRECTORY, 4 + 64 * count)[4:])
    found = {name.rstrip(b"\0").decode(): (key, size) for size, key, _, name in entries}
    return {name: item(*where) for name, where in found.items() if name != "etc/fdt"}


@modelled
@pytest.mark.qemu
@pytest.mark.parametrize("ram", ["128M", "5G"])
def test_firmware_finds_the_files_that_qemu_has_for_it(ram: str) -> None:
    _needs_qboot(["acpi=off"])
    board = _ours("-nodefaults", "-m", ram, "-M", "acpi=off")
    with _qemu("-nodefaults", "-m", ram, "-M", "acpi=off") as theirs:
        wanted = _files(lambda key: theirs.outw(0x510, key), lambda: theirs.inb(0x511))
    found = _files(lambda key: board.io.store(0x510, 2, key), lambda: board.io.load(0x511, 1))
    assert found == wanted


@modelled
@pytest.mark.qemu
def test_the_power_button_is_an_event_that_is_read_once(qemu: Qemu) -> None:
    board = _ours("-nodefaults", "-m", "128M")
    board.press_power_button()
    qemu.qmp("system_powerdown")
    for _ in range(2):
        assert board.memory.load(0xFEA0_0000, 4) == qemu.load(0xFEA0_0000, 4)
    assert board.ged is not None
    board.ged.raise_event(POWER_DOWN)
    board.system_reset()
    assert board.memory.load(0xFEA0_0000, 4) == 0


def test_the_guest_switches_itself_off_and_resets_itself() -> None:
    board = _ours("-nodefaults", "-m", "128M")
    told: list[str] = []
    board.on_power_off = lambda: told.append("off")
    board.on_reset_request = told.append
    for value in (0x20, 0x14, 0x34):  # another sleep type, not enabled, soft off
        board.memory.store(0xFEA0_0200, 1, value)
    assert told == ["off"]
    for value in (0x41, 0x42):
        board.memory.store(0xFEA0_0202, 1, value)
    assert told == ["off", "ACPI reset register"]


@pytest.mark.parametrize(("option", "lines"), [("acpi=on", 48), ("acpi=off", 24)])
def test_devices_drive_the_lines_of_the_ioapics_that_there_are(option: str, lines: int) -> None:
    _needs_qboot([option])
    board = _ours("-nodefaults", "-M", option)
    assert len(board.lines) == lines
    entry, base = 0x10 + 2 * 23, 0xFEC0_0000 if lines == 24 else 0xFEC1_0000
    for register, value in ((entry, 0x8031), (entry + 1, 0)):  # level, vector 31h, to CPU 0
        board.memory.store(base, 4, register)
        board.memory.store(base + 0x10, 4, value)
    board.memory.store(0xFEE0_00F0, 4, 0x1FF)
    board.lines[-1].set(True)
    board.memory.store(base, 4, entry)
    assert board.memory.load(base + 0x10, 4) == 0x8031 | 1 << 14  # the APIC has taken it


def test_without_a_pic_the_cpu_still_gets_a_vector() -> None:
    board = _ours("-nodefaults", "-M", "pic=off")
    assert not board.interrupts.pending
    assert 0 <= board.interrupts.acknowledge() <= 0xFF


def test_a_reset_puts_the_firmware_back() -> None:
    board = _ours("-nodefaults", "-m", "8M")
    before = board.memory.read(4 * GIB - 16, 16)
    board.memory.write(4 * GIB - 16, bytes(16))
    board.system_reset()
    assert board.memory.read(4 * GIB - 16, 16) == before


@pytest.mark.unicorn
def test_seabios_runs_to_its_end() -> None:
    config = MachineConfig(machine="microvm", debugcon=True)
    with VirtualMachine(config) as vm:
        assert vm.run(until=Phase.HALT) in (RunState.PAUSED, RunState.RUNNING)
        log = [line.text for line in vm.log]
    assert "Detected non-PCI system" in log
    assert log[-1] == "No bootable device."
