"""What holds for every device: reset, saving and loading, and any access at all."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import fields
from typing import Any

import msgspec
import pytest

from guestmap.base import ConfigError, IrqLine
from guestmap.hw.acpi.ged import AcpiGed
from guestmap.hw.apic.bus import ApicBus
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.apic.local import LocalApic
from guestmap.hw.at_ports import FpuErrorPort, PostPort
from guestmap.hw.catalog import DEVICES, declared_types
from guestmap.hw.debugcon import DebugConsole
from guestmap.hw.device import RegisterBlock, Space
from guestmap.hw.e1000.device import E1000
from guestmap.hw.fdc import Fdc, FloppyDrive
from guestmap.hw.fw_cfg import FwCfg
from guestmap.hw.hpet import Hpet
from guestmap.hw.i440fx import I440FX
from guestmap.hw.i8254 import I8254
from guestmap.hw.i8257 import I8257
from guestmap.hw.i8259 import I8259, I8259Pair
from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.piix3 import Piix3Ide
from guestmap.hw.ide.unit import IdeUnit
from guestmap.hw.kvmvapic import KvmVapic
from guestmap.hw.mc146818 import Mc146818
from guestmap.hw.medium import MemoryMedium
from guestmap.hw.parallel import ParallelPort
from guestmap.hw.pci import ConfigMechanism, PciBridge, PciBus, PciFunction, PciTestDevice
from guestmap.hw.pcspk import PcSpeaker
from guestmap.hw.piix3 import Piix3
from guestmap.hw.piix4_pm import Piix4Pm
from guestmap.hw.placement import Placeable
from guestmap.hw.port92 import Port92
from guestmap.hw.ps2.i8042 import I8042
from guestmap.hw.ps2.keyboard import Ps2Keyboard
from guestmap.hw.ps2.mouse import Ps2Mouse
from guestmap.hw.serial import Serial16550, Uart
from guestmap.hw.smbus.slave import Eeprom
from guestmap.hw.usb.uhci import Piix3Uhci
from guestmap.hw.vga.cirrus.device import CirrusVga
from guestmap.hw.vga.device import StandardVga
from guestmap.hw.virtio.balloon import BalloonBackend, VirtioBalloon
from guestmap.hw.virtio_mmio import VirtioMmio
from guestmap.hw.vmware import VmMouse, VmPort
from guestmap.machine.placement import MapPlacer
from guestmap.memory import AddressSpace, MemoryRegion
from tests.hw.device_traffic import RTC_EPOCH_NS, Bench

Block = RegisterBlock[Any]


class Bed(Bench):
    """A bench with memory beside its ports; keeps whatever else has to be placed."""

    def __init__(self) -> None:
        super().__init__()
        self.system = self.memory.container("system", 1 << 64)
        self.space = self.memory.address_space("memory", self.system)
        self.ram = self.memory.ram("ram", 0x100000)
        self.system.add_subregion(0, self.ram)
        pci = self.memory.container("pci", 1 << 64)
        self.system.add_subregion(0, pci, -1)
        self.placer = MapPlacer(self.memory)
        self.bus = PciBus(self.placer, pci, self.io, self.system)
        self.bus.ready = True
        self.beside: list[Placeable] = []

    def place(self, *blocks: Placeable) -> None:
        self.placer.place({Space.IO: self.io, Space.MEMORY: self.system}, *blocks)
        for block in blocks:
            self.regions += block.regions


def _apics(bed: Bed) -> list[Block]:
    bus = ApicBus(bed.clock, (0, 1))
    bus.current = 0
    bed.beside.append(bus)
    for apic in bus.apics:
        apic.intr = bed.line(100 + apic.cpu)
    return [*bus.apics]


def _speaker(bed: Bed) -> list[Block]:
    pit = I8254(bed.clock, bed.line(0))
    return [pit, PcSpeaker(pit)]


def _keyboard(bed: Bed) -> list[Block]:
    controller = I8042(bed.line(1), bed.line(12))
    controller.press(range(1, 7))
    return [controller, controller.keyboard, controller.mouse]


def _fw_cfg(bed: Bed) -> list[Block]:
    device = FwCfg(bed.space)
    device.add_bytes(0, b"QEMU")
    for name in ("a", "b"):
        device.add_file(name, bytes(100), writable=name == "b")
    return [device]


def _south_bridge(bed: Bed) -> list[Block]:
    """The ISA bridge, and a function whose interrupt it routes."""
    lines = [bed.line(number) for number in range(16)]
    bridge, function = Piix3(bed.bus, 8, lines, lambda: None), PciTestDevice(bed.bus, 0x18)
    function.config.set(0x3D, 1)
    return [bridge, function]


def _bridge(bed: Bed) -> list[Block]:
    bridge = PciBridge(bed.bus, 0x20, chassis=1)
    return [bridge, PciTestDevice(bridge.secondary, 0x08)]


def _ide(bed: Bed, unit: IdeUnit) -> list[Block]:
    """A channel with a drive, and a bus master for both."""
    function = Piix3Ide(bed.bus, 0x09)
    bed.bus.machine_done()
    for register, value in ((0x20, 0xC001), (0x04, 0x05)):
        function.config_write(register, value, 4)
    channel = IdeChannel(bed.line(14))
    channel.attach(unit)
    channel.master_with(function.channels[0])
    return [unit, channel, function]


def _balloon(bed: Bed) -> list[Block]:
    """One whose rings are in the memory, which may be anything."""
    balloon = VirtioBalloon(bed.bus, 0x28)
    balloon.memory, balloon.ram = bed.space, lambda: bed.ram.size
    balloon.wind(bed.clock)
    balloon.poll_every(1)
    return [balloon]


_PACKETS = (0x00, 0x03, 0x12, 0x25, 0x28, 0x43, 0x46, 0x4A, 0x51, 0x5A, 0xA8, 0xBD, 0xBE, 0xFF)


def _drive(unit: IdeUnit, rng: random.Random) -> object:
    """Have it begin what it can do, as its guest would."""
    for register in range(1, 6):
        unit.write(register, rng.choice((0, 1, 2, 8)))
    unit.execute(rng.choice((*unit.COMMANDS, 0xA0)))
    if unit.state.going == "packet_complete":
        code = rng.choice(_PACKETS)
        for word in (code, rng.choice((0, 1)), rng.choice((0, 0x2A)), 0, rng.choice((0, 512)), 0):
            unit.write_data(word, 2)
    return unit.read_data(rng.choice((2, 4)))


BARS = range(0x10, 0x28, 4)


def _configure(function: PciFunction[Any], rng: random.Random) -> object:
    """Read or write a register of configuration space; pull the interrupt now and then."""
    offset, size = rng.choice((4, 0x10, 0x18, 0x1C, 0x20, *range(256))), rng.choice((1, 2, 4))
    if rng.random() < 0.3:
        return function.config_read(offset, size)
    value = rng.choice((0x7, 0x107, 0xE000_0001, 0xE010_E000, rng.getrandbits(32)))
    if offset in BARS and not (isinstance(function, PciBridge) and offset >= BARS[2]):
        # Each its own: which of two equal windows was put in last is not saved, as in QEMU.
        value, size = 0xF000_0000 | function.devfn << 20 | offset << 12, 4
    function.config_write(offset, value & (1 << 8 * size) - 1, size)
    if type(function) is PciTestDevice:
        function.set_interrupt(rng.random() < 0.5)
    return None


def _configure_all(bridge: PciFunction[Any], rng: random.Random) -> object:
    others = list(bridge.bus.devices.values())
    if isinstance(bridge, PciBridge):
        others += bridge.secondary.devices.values()
    return _configure(rng.choice(others), rng)


MAKERS: dict[type[Block], Callable[[Bed], list[Block]]] = {
    LocalApic: _apics,
    KvmVapic: lambda _bed: [KvmVapic()],
    FwCfg: _fw_cfg,
    ConfigMechanism: lambda bed: [ConfigMechanism(bed.bus)],
    I440FX: lambda bed: [I440FX(bed.bus, bed.system, bed.ram)],
    Piix3: _south_bridge,
    Piix3Ide: lambda bed: [Piix3Ide(bed.bus, 0x09)],
    Piix4Pm: lambda bed: [Piix4Pm(bed.bus, 0x0B, bed.clock, bed.line(9), memory_slots=2, cpus=1)],
    Eeprom: lambda _bed: [Eeprom()],
    PciBridge: _bridge,
    PciTestDevice: lambda bed: [PciTestDevice(bed.bus, 0x18, membar=0x2000)],
    StandardVga: lambda bed: [StandardVga(bed.bus, 0x10)],
    CirrusVga: lambda bed: [CirrusVga(bed.bus, 0x10)],
    VirtioBalloon: _balloon,
    E1000: lambda bed: [E1000(bed.bus, 0x20)],
    Piix3Uhci: lambda bed: [Piix3Uhci(bed.bus, 0x0A, bed.clock)],
    IoApic: lambda bed: [IoApic(lambda message: bed.line(200 + message.vector).pulse())],
    I8257: lambda bed: [I8257(bed.space), I8257(bed.space, second=True)],
    I8259: lambda bed: [*I8259Pair(bed.line(99)).chips],
    Hpet: lambda bed: [Hpet(bed.clock, [bed.line(number) for number in range(24)])],
    Mc146818: lambda bed: [Mc146818(bed.clock, bed.line(8), epoch_ns=RTC_EPOCH_NS)],
    I8254: lambda bed: [I8254(bed.clock, bed.line(0))],
    PcSpeaker: _speaker,
    Serial16550: lambda bed: [Serial16550(bed.clock, bed.line(4))],
    ParallelPort: lambda bed: [ParallelPort(bed.line(7))],
    Fdc: lambda bed: [Fdc(bed.clock, bed.line(6))],
    FloppyDrive: lambda _bed: [FloppyDrive()],
    I8042: _keyboard,
    VmPort: lambda _bed: [VmPort()],
    VmMouse: lambda _bed: [VmMouse(VmPort())],
    Port92: lambda _bed: [Port92()],
    DebugConsole: lambda _bed: [DebugConsole(lambda _byte: None)],
    PostPort: lambda _bed: [PostPort()],
    FpuErrorPort: lambda bed: [FpuErrorPort(bed.line(13))],
    AcpiGed: lambda bed: [AcpiGed(0xFEA00000, bed.line(9))],
    VirtioMmio: lambda bed: [VirtioMmio(0xFEB00000, bed.line(5))],
    IdeChannel: lambda bed: [IdeChannel(bed.line(14))],
    IdeDisk: lambda bed: _ide(bed, IdeDisk(MemoryMedium(bytes(range(256)) * 64))),
    IdeCdrom: lambda bed: _ide(bed, IdeCdrom(MemoryMedium(bytes(range(256)) * 64))),
}
"""How each is made, alone on a bench: itself and what it works with."""
STIRS: dict[type[Block], Callable[[Any, random.Random], object]] = {
    LocalApic: lambda apic, rng: apic.set_pic_intr(rng.random() < 0.5),
    IoApic: lambda chip, rng: rng.choice(chip.inputs).set(rng.random() < 0.5),
    I8257: lambda chip, rng: chip.hold_dreq(rng.randrange(4)),
    I8259: lambda chip, rng: rng.choice(chip.inputs).set(rng.random() < 0.5),
    Hpet: lambda hpet, rng: hpet.rtc_input.set(rng.random() < 0.5),
    I8254: lambda pit, rng: pit.set_gate(rng.randrange(3), rng.random() < 0.5),
    Serial16550: lambda port, rng: port.receive(bytes(range(rng.randrange(4)))),
    I440FX: _configure,
    Piix3: _configure_all,
    Piix3Ide: _configure,
    Piix4Pm: _configure,
    PciBridge: _configure_all,
    PciTestDevice: _configure,
    StandardVga: _configure,
    CirrusVga: _configure,
    Piix3Uhci: _configure,
    E1000: _configure,
    VirtioBalloon: _configure,
    IdeDisk: _drive,
    IdeCdrom: _drive,
    I8042: lambda chip, rng: (chip.press([rng.randrange(1, 80)]), chip.mouse.move(1, 2)),
}
"""What else happens to them than accesses."""
_HPET, _APIC = 0xFED00000, 0xFEE00000
STARTS: dict[type[Block], list[tuple[int, int]]] = {
    Hpet: [(_HPET + 0x100, 0x04 << 7 | 0x4C), (_HPET + 0x108, 500_000), (_HPET + 0x10, 1)],
    LocalApic: [(_APIC + 0xF0, 0x1FF), (_APIC + 0x320, 1 << 17 | 0x40), (_APIC + 0x380, 700_000)],
}
"""Double words that set them going: periodic timers."""
PARTS = {Uart, Ps2Keyboard, Ps2Mouse, BalloonBackend}
"""Devices that come with another one."""
NAMELESS = {PostPort, FpuErrorPort, IdeChannel}
"""Registers that belong to the machine."""


class Guest:
    """A device alone on a bench, and a guest that knows nothing of it."""

    def __init__(self, kind: type[Block]) -> None:
        self.bench = Bed()
        self.blocks = MAKERS[kind](self.bench)
        plain = [each for each in self.blocks if not isinstance(each, PciFunction)]
        self.bench.place(*plain, *self.bench.beside)

    def start(self) -> None:
        """Set the device going, where random accesses hardly would."""
        for address, value in STARTS.get(type(self.blocks[0]), ()):
            self.bench.space.store(address, 4, value)

    def run(self, rng: random.Random, count: int) -> list[object]:
        """Access it at random, time passing now and then; return all that is to be seen."""
        seen: list[object] = []
        kind = type(self.blocks[0])
        for _ in range(count):
            if rng.random() < 0.2 and kind in STIRS:
                seen.append(STIRS[kind](self.blocks[0], rng))
            regions = [*self._regions()]
            if not regions:
                continue
            region = rng.choice(regions)
            size = rng.choice((1, 1, 1, 2, 4))
            offset = rng.randrange(region.size)
            port = _address(region) + offset
            space = self._space(region)
            if rng.random() < 0.5:
                seen.append(space.load(port, size))
            else:
                value = rng.choice((0, 1, 0xFF, rng.getrandbits(8), rng.getrandbits(8 * size)))
                space.store(port, size, value & (1 << 8 * size) - 1)
            if rng.random() < 0.1:
                self.bench.clock.advance(rng.choice((1, 10**3, 10**6, 10**7)))
            seen.append([line.level for line in self.lines])
        return seen

    def _regions(self) -> Iterator[MemoryRegion]:
        """Yield what can be accessed now."""
        for block in (*self.blocks, *self.bench.beside):
            for region in getattr(block, "shown_regions", lambda block=block: block.regions)():
                if _outermost(region) in (self.bench.io, self.bench.system):
                    yield from _with_inner(region)

    def _space(self, region: MemoryRegion) -> AddressSpace:
        return self.bench.ports if _outermost(region) is self.bench.io else self.bench.space

    @property
    def lines(self) -> list[IrqLine]:
        return [line for _, line in sorted(self.bench.lines.items())]

    def saved(self) -> list[bytes]:
        return [msgspec.msgpack.encode(each.save()) for each in self.blocks]

    def reset(self) -> None:
        for each in self.blocks:
            each.reset()


def _with_inner(region: MemoryRegion) -> Iterator[MemoryRegion]:
    yield region
    for inner in region.subregions:
        yield from _with_inner(inner)


def _outermost(region: MemoryRegion) -> MemoryRegion:
    return region if region.container is None else _outermost(region.container)


def _address(region: MemoryRegion) -> int:
    outer = region.container
    return region.addr + (_address(outer) if outer is not None else 0)


each_device = pytest.mark.parametrize("kind", MAKERS, ids=lambda kind: kind.__name__)


def test_every_device_is_tried() -> None:
    assert set(DEVICES) | NAMELESS == MAKERS.keys() | PARTS


def test_each_type_is_declared_once() -> None:
    names = [each.TYPE.name for each in DEVICES]
    assert len(set(names)) == len(names)
    known = {each.name for each in declared_types()} | {"device"}
    assert {each.parent for each in declared_types()} <= known


@each_device
def test_a_reset_leaves_nothing_but_what_is_said_to_outlive_it(kind: type[Block]) -> None:
    guest, fresh = Guest(kind), Guest(kind)
    guest.run(random.Random(1), 300)
    fresh.bench.clock.advance(guest.bench.clock.now_ns())
    guest.reset()
    fresh.reset()
    for used, new in zip(guest.blocks, fresh.blocks, strict=True):
        left, expected = used.save(), new.save()
        for field in fields(left):
            if field.name not in used.OUTLIVES_RESET:
                assert getattr(left, field.name) == getattr(expected, field.name), field.name
    before = guest.saved()
    guest.reset()
    assert guest.saved() == before


@each_device
@pytest.mark.parametrize("seed", range(4))
def test_a_device_goes_on_from_where_another_one_was_saved(kind: type[Block], seed: int) -> None:
    first, second = Guest(kind), Guest(kind)
    first.run(random.Random(seed), 300)
    if seed % 2:
        first.start()
        first.run(random.Random(seed), seed)
    second.bench.clock.jump(first.bench.clock.now_ns())
    for number in first.bench.lines:
        second.bench.line(number)
    for block, other, saved in zip(second.blocks, first.blocks, first.saved(), strict=True):
        block.load(msgspec.msgpack.decode(saved, type=type(other.state)))
    second.bench.bus.load(first.bench.bus.save())
    for line, other_line in zip(second.lines, first.lines, strict=True):
        line.level = other_line.level  # whom they lead to saves them
    assert second.saved() == first.saved()
    seen = first.run(random.Random(seed + 100), 200)
    assert second.run(random.Random(seed + 100), 200) == seen
    assert second.saved() == first.saved()


@each_device
def test_a_saved_state_is_a_copy(kind: type[Block]) -> None:
    guest = Guest(kind)
    before, states = guest.saved(), [each.save() for each in guest.blocks]
    guest.run(random.Random(2), 100)
    assert [msgspec.msgpack.encode(state) for state in states] == before
    for block, state in zip(guest.blocks, states, strict=True):
        block.load(state)
    guest.run(random.Random(3), 100)
    assert [msgspec.msgpack.encode(state) for state in states] == before


@each_device
def test_an_impossible_state_is_refused(kind: type[Block]) -> None:
    guest = Guest(kind)
    before = guest.saved()
    for block in guest.blocks:
        for field in fields(block.state):
            state = block.save()
            setattr(state, field.name, "nonsense")
            with pytest.raises(ConfigError, match=block.title):
                block.load(state)
    assert guest.saved() == before


@each_device
def test_any_access_is_taken(kind: type[Block]) -> None:
    _take_any_access(kind, 2_000)


@pytest.mark.long
@each_device
def test_a_hundred_thousand_accesses_raise_nothing_and_grow_nothing(kind: type[Block]) -> None:
    _take_any_access(kind, 100_000)


def _take_any_access(kind: type[Block], count: int) -> None:
    guest, rng = Guest(kind), random.Random(4)
    guest.run(rng, count // 2)
    size, timers = _bytes(guest), len(guest.bench.clock._heap)
    guest.run(rng, count // 2)
    assert _bytes(guest) <= 2 * size + 256
    assert len(guest.bench.clock._heap) <= 2 * timers + 32


def _bytes(guest: Guest) -> int:
    return sum(map(len, guest.saved()))
