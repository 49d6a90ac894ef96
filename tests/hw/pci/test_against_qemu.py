"""Every register and window of the PCI side, compared with a real QEMU 7.2 that stands still."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from guestmap.base import MIB
from guestmap.hw.pci import PciBridge
from tests.support.chipset import CONFIG_ADDRESS, CONFIG_DATA, HOST, IDE, ISA, PM, Chipset
from tests.support.pci_traffic import our_flat_view, qemu_flat_view, run, traffic
from tests.support.qemu import MACHINE, Qemu

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("its chipset's registers")]

BRIDGE, TEST_DEVICE = 8 << 3, 4 << 3
PLUGGED = ("-device", "pci-bridge,id=b1,chassis_nr=1,addr=8",
           "-device", "pci-testdev,addr=4,membar=64K",
           "-device", "pci-testdev,bus=b1,addr=2,membar=8",
           "-device", "pci-bridge,id=b2,chassis_nr=2,addr=3,bus=b1",
           "-device", "pci-testdev,bus=b2,addr=5,membar=1M")  # fmt: skip
SMM = ("-M", "pc-i440fx-7.2", *MACHINE[2:])


def board_like_plugged(*, smm: bool) -> Chipset:
    board = Chipset(smm=smm)
    bridge = board.bridge(8)
    board.test_device(4, 64 << 10)
    board.test_device(2, 8, bridge.secondary)
    inner = board.bridge(3, 2, bridge.secondary)
    board.test_device(5, 1 << 20, inner.secondary)
    board.bus.machine_done()
    return board


@pytest.fixture(params=[False, True], ids=["no-smm", "smm"])
def pair(request) -> Iterator[tuple[Qemu, Chipset]]:
    machine = SMM if request.param else MACHINE
    with Qemu(*machine, "-m", "128M", *PLUGGED, machine=False) as qemu:
        yield qemu, board_like_plugged(smm=request.param)


def qemu_config(qemu: Qemu, bdf: int) -> bytes:
    commands = []
    for register in range(0, 256, 4):
        commands.append(f"outl {CONFIG_ADDRESS:#x} {1 << 31 | bdf << 8 | register:#x}")
        commands.append(f"inl {CONFIG_DATA:#x}")
    replies = qemu.qtest_many(commands)[1::2]
    return b"".join(int(reply, 16).to_bytes(4, "little") for reply in replies)


def test_configuration_spaces_at_power_on_written_all_over_and_after_reset(pair):
    qemu, board = pair
    functions = [HOST, ISA, IDE, PM, TEST_DEVICE, BRIDGE]
    for bdf in functions:
        assert board.config(bdf).hex(" ", 4) == qemu_config(qemu, bdf).hex(" ", 4)
    for pattern in (0xFF, 0x00, 0xA5):
        for bdf in functions:
            for register in range(4, 256):
                # A bridge's reset bit would empty what is behind; the fuzz below has it.
                value = pattern & 0xBF if (bdf, register) == (BRIDGE, 0x3E) else pattern
                board.config_store(bdf, register, 1, value)
                address = 1 << 31 | bdf << 8 | register & 0xFC
                qemu.outl(CONFIG_ADDRESS, address)
                qemu.outb(CONFIG_DATA + (register & 3), value)
        for bdf in functions:
            assert board.config(bdf).hex(" ", 4) == qemu_config(qemu, bdf).hex(" ", 4)
    qemu.qmp("system_reset")
    board.reset()
    for bdf in functions:
        assert board.config(bdf).hex(" ", 4) == qemu_config(qemu, bdf).hex(" ", 4)


@pytest.mark.parametrize("seed", range(10))
def test_random_traffic_is_answered_alike(pair, seed):
    qemu, board = pair
    rng = random.Random(seed)
    asked: list[str] = []
    expected: list[int | None] = []
    for command in traffic(board, rng, 250):
        asked.append(command)
        expected.append(run(board, command))
    for place, (command, ours) in enumerate(zip(asked, expected, strict=True)):
        if command == "system_reset":
            qemu.qmp("system_reset")
            continue
        reply = qemu.qtest(command)
        if ours is not None:
            assert int(reply, 16) == ours, f"{command} after {asked[max(0, place - 6) : place]}"
    text = qemu.hmp("info mtree -f")
    for name in ("I/O", "memory"):
        assert our_flat_view(board, name) == qemu_flat_view(text, name)


@pytest.mark.parametrize("slot", [4, 5, 6, 7])
def test_interrupt_wires_reach_the_routed_line(slot):
    """The hot-plug controller of a bridge interrupts; the slot decides on which wire."""
    board = Chipset()
    board.bridge(slot)
    base, bdf = 0xE100_0000, slot << 3
    # Lines above 8 that nobody else drives.
    program = [(ISA, 0x60, 4, 0x0F0C_0B0A), (bdf, 0x10, 4, base), (bdf, 4, 2, 2)]
    with Qemu("-m", "128M", "-device", f"pci-bridge,chassis_nr=1,addr={slot}") as qemu:
        qemu.qtest("irq_intercept_in /machine/i440fx/ioapic")
        for target, register, size, value in program:
            board.config_store(target, register, size, value)
            qemu.outl(CONFIG_ADDRESS, 1 << 31 | target << 8 | register)
            (qemu.outl if size == 4 else qemu.outw)(CONFIG_DATA, value)
        qemu.irqs.clear()
        qemu.store(base + 0x20, 4, 0)
        qemu.store(base + 0x14, 1, 0x40)
        board.system.store(base + 0x20, 4, 0)
        board.system.store(base + 0x14, 1, 0x40)
        raised = [line for line in range(16) if board.lines[line].level]
        assert [f"raise {line}" for line in raised] == qemu.irqs


def test_a_bridge_without_hot_plug_controller():
    board = Chipset(smm=False)
    PciBridge(board.bus, BRIDGE, chassis=7, shpc=False)
    with Qemu("-m", "128M", "-device", "pci-bridge,chassis_nr=7,addr=8,shpc=off") as qemu:
        for pattern in (None, 0xFF, 0):
            for register in range(4, 256) if pattern is not None else ():
                board.config_store(BRIDGE, register, 1, pattern)
                qemu.outl(CONFIG_ADDRESS, 1 << 31 | BRIDGE << 8 | register & 0xFC)
                qemu.outb(CONFIG_DATA + (register & 3), pattern)
            assert board.config(BRIDGE).hex(" ", 4) == qemu_config(qemu, BRIDGE).hex(" ", 4)


@pytest.mark.parametrize("mib", [8, 128, 2040])
def test_ram_size_register(mib):
    with Qemu("-m", f"{mib}M") as qemu:
        assert qemu_config(qemu, HOST) == Chipset(ram=mib * MIB, smm=False).config(HOST)
