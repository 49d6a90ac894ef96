"""PCI functions that come and go while the machine runs, beside a real QEMU's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import MIB, GuestmapError
from guestmap.machine import DeviceSpec, MachineConfig, Pc, VirtualMachine
from guestmap.machine.saved import restore, save
from tests.support.qemu import Qemu
from tests.support.qom import only_below, our_objects, qemus_objects

pytestmark = [pytest.mark.seabios]

BRIDGE = "pci-bridge,id=b0,chassis_nr=1"
UP, DOWN, EJECT, REMOVABLE, SELECT = 0xAE00, 0xAE04, 0xAE08, 0xAE0C, 0xAE10
GPE = 0xAFE0


class Ours:
    """A machine of ours, asked as QEMU is."""

    def __init__(self) -> None:
        devices = (DeviceSpec.parse(BRIDGE),)
        self.pc = Pc(MachineConfig(ram_size=128 * MIB, devices=devices))
        self.told: list[tuple[str, Any]] = []
        self.pc.events.subscribe(lambda event: self.told.append((event.name, event.data)))

    def qmp(self, command: str, **arguments: Any) -> str:
        try:
            if command == "device_del":
                self.pc.manage.device_del(arguments["id"])
            else:
                driver, identity = arguments.pop("driver"), arguments.pop("id", None)
                self.pc.manage.device_add(driver, identity, arguments)
        except GuestmapError as error:
            return str(error)
        return ""

    def outl(self, port: int, value: int) -> None:
        self.pc.io.store(port, 4, value)

    def inl(self, port: int) -> int:
        return self.pc.io.load(port, 4)


class Theirs:
    """A real QEMU."""

    def __init__(self, qemu: Qemu) -> None:
        self.qemu = qemu

    def qmp(self, command: str, **arguments: Any) -> str:
        try:
            self.qemu.qmp(command, **arguments)
        except RuntimeError as error:
            return str(error).partition(": ")[2]
        return ""

    def outl(self, port: int, value: int) -> None:
        self.qemu.qtest(f"outl {port:#x} {value:#x}")

    def inl(self, port: int) -> int:
        return int(self.qemu.qtest(f"inl {port:#x}"), 16)


def registers(machine: Ours | Theirs) -> list[int]:
    """Read all registers of all buses, and GPE0."""
    seen = []
    for bus in range(3):
        machine.outl(SELECT, bus)
        seen += [machine.inl(port) for port in range(UP, UP + 0x18, 4)]
    return [*seen, machine.inl(GPE)]


STEPS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("device_add", {"driver": "pci-testdev", "id": "t0"}),
    ("device_add", {"driver": "pci-testdev", "id": "t0"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "addr": "3"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "addr": "3.1"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "addr": "20"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "addr": "zz"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "addr": "6.8"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "bus": "nope"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "bus": "isa.0"}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "foo": 1}),
    ("device_add", {"driver": "pci-testdev", "id": "t1", "membar": "x"}),
    ("device_add", {"driver": "pci-testdev", "id": "t2", "bus": "pci.0", "membar": "64K",
                    "addr": "7"}),
    ("device_add", {"driver": "pci-testdev", "id": "tb", "bus": "b0"}),
    ("device_add", {"driver": "pci-testdev", "id": "tb2", "bus": "b0", "addr": "0"}),
    ("device_add", {"driver": "pci-testdev", "id": "f1", "addr": "9.1", "multifunction": "on"}),
    ("device_add", {"driver": "pci-testdev", "id": "f0", "addr": "9.0", "multifunction": "on"}),
    ("device_add", {"driver": "pci-testdev"}),
    ("device_add", {"driver": "PIIX4_PM", "id": "p"}),
    ("device_add", {"driver": "piix3-ide", "id": "p"}),
    ("device_add", {"driver": "isa-serial", "id": "p"}),
    ("device_add", {"driver": "i8257", "id": "p"}),
    ("device_del", {"id": "t0"}),
    ("device_del", {"id": "t0"}),
    ("device_del", {"id": "b0"}),
    ("device_del", {"id": "b1"}),
    ("device_del", {"id": "tb"}),
    ("device_del", {"id": "f1"}),
)  # fmt: skip
EJECTS = ((0, 1 << 3), (0, 1 << 2), (0, 0xFFFF_FFFF), (0, 1 << 9), (1, 1 << 0), (2, 1 << 3))


@pytest.fixture
def ours() -> Ours:
    return Ours()


@pytest.fixture(scope="module")
def theirs() -> Iterator[Theirs]:
    with Qemu("-m", "128M", "-device", BRIDGE) as qemu:
        yield Theirs(qemu)


def _devices(objects: dict[str, Any]) -> set[str]:
    return {path for path in objects if path.startswith("/machine/peripheral")}


def _same_devices(ours: Ours, theirs: Theirs) -> None:
    """Check that both trees have the same devices, and the same below each."""
    asked = only_below("/machine/peripheral", "/machine/peripheral-anon")
    assert _devices(our_objects(ours.pc.tree)) == _devices(qemus_objects(theirs.qemu, asked))


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its texts")
def test_plugging_asking_and_ejecting_are_as_qemus(ours: Ours, theirs: Theirs) -> None:
    for command, arguments in STEPS:
        said = ours.qmp(command, **arguments)
        assert said == theirs.qmp(command, **arguments), arguments
        assert registers(ours) == registers(theirs), arguments
    _same_devices(ours, theirs)
    for bus, slots in EJECTS:
        for machine in (ours, theirs):
            machine.outl(SELECT, bus)
            machine.outl(EJECT, slots)
        assert registers(ours) == registers(theirs), (bus, slots)
        _same_devices(ours, theirs)
    again = {"driver": "pci-testdev", "id": "t0", "addr": "3"}
    assert ours.qmp("device_add", **again) == theirs.qmp("device_add", **again) == ""
    assert registers(ours) == registers(theirs)


def test_a_function_that_was_ejected_leaves_map_wires_tree_and_says_so(ours: Ours) -> None:
    before = [space.name for space in ours.pc.address_spaces]
    ours.qmp("device_add", driver="pci-testdev", id="t0")
    function = ours.pc.bus.devices[3 << 3]
    function.config_write(0x10, 0xE000_0000, 4)
    function.config_write(0x04, 0x7, 2)
    ours.pc.piix3.config_write(0x60, 0x0B0B0B0B, 4)
    function.config.set(0x3D, 1)
    function.set_interrupt(True)
    assert ours.pc.lines[11].level
    assert ours.pc.memory.find(0xE000_0000).region.name == "pci-testdev-mmio"
    ours.qmp("device_del", id="t0")
    ours.outl(SELECT, 0)
    ours.outl(EJECT, 1 << 3)
    assert not ours.pc.lines[11].level
    assert ours.pc.memory.find(0xE000_0000) is None
    assert [space.name for space in ours.pc.address_spaces] == before
    assert 3 << 3 not in ours.pc.bus.devices
    path = "/machine/peripheral/t0"
    assert ours.told == [("DEVICE_DELETED", {"device": "t0", "path": path})]
    assert ours.pc.tree.find(path) == (None, False)


def test_what_came_is_there_in_what_the_machine_would_be_made_from(ours: Ours) -> None:
    config = ours.pc.config
    ours.qmp("device_add", driver="pci-testdev", id="t0", membar="64K", addr="5")
    ours.qmp("device_add", driver="pci-testdev", bus="b0")
    present = ours.pc.manage.present(config).devices
    assert present[:1] == config.devices
    assert [each.properties for each in present[1:]] == [
        {"id": "t0", "bus": "pci.0", "addr": "5.0", "membar": 64 * 1024},
        {"bus": "b0", "addr": "0.0"},
    ]
    again = Pc(MachineConfig(ram_size=128 * MIB, devices=present))
    assert _devices(our_objects(again.tree)) == _devices(our_objects(ours.pc.tree))
    ours.outl(SELECT, 0)
    ours.outl(EJECT, 1 << 5)
    assert [each.id for each in ours.pc.manage.present(config).devices] == ["b0", None]


def test_what_came_is_saved_and_what_was_asked_for_is_still_asked_for(tmp_path: Path) -> None:
    config = MachineConfig(ram_size=64 * MIB, devices=(DeviceSpec.parse("pci-testdev,id=c0"),))
    path = tmp_path / "saved"
    with VirtualMachine(config, engine="none") as vm:
        vm.board.manage.device_add("pci-testdev", "t0", {"membar": "64K"})
        came: Any = vm.board.bus.devices[3 << 3]
        came.config_write(0x10, 0xE000_0000, 4)
        came.config_write(0x04, 0x7, 2)
        vm.board.manage.device_del("c0")
        save(vm, path)
    with restore(path) as vm:
        board = vm.board
        assert board.memory.find(0xE000_0000).region.name == "pci-testdev-mmio"
        assert [each.size for each in board.bus.devices[3 << 3].bars] == [4096, 256, 64 * 1024]
        assert board.io.load(DOWN, 4) == 1 << 2
        board.io.store(EJECT, 4, 1 << 2)
        assert sorted(board.tree.container("/machine/peripheral").children) == ["t0"]


def test_a_reset_takes_out_what_the_guest_was_asked_for(ours: Ours) -> None:
    ours.qmp("device_add", driver="pci-testdev", id="t0")
    ours.qmp("device_del", id="t0")
    ours.pc.system_reset()
    assert 3 << 3 not in ours.pc.bus.devices
    assert ours.told[-1][0] == "DEVICE_DELETED"


def test_the_bridges_own_controller_ejects_as_well(ours: Ours) -> None:
    bridge: Any = ours.pc.bus.devices[2 << 3]
    ours.qmp("device_add", driver="pci-testdev", id="tb", bus="b0", addr="1")
    slots = bridge.hotplug
    slots.write(0x14, 0x0100 | 0x2 | 0x1 << 2, 2)  # slot 1: on
    slots.write(0x14, 0x0130 | 0x3 | 0x3 << 2, 2)  # slot 1: off, and its lamp, too
    assert not bridge.secondary.devices
    assert ours.told[-1] == (
        "DEVICE_DELETED", {"device": "tb", "path": "/machine/peripheral/tb"}
    )  # fmt: skip


def test_without_acpi_nobody_could_tell_the_guest() -> None:
    pc = Pc(MachineConfig(ram_size=128 * MIB, acpi=False))
    with pytest.raises(GuestmapError, match=r"Bus 'pci.0' does not support hotplugging"):
        pc.manage.device_add("pci-testdev", "t0", {})
