"""The machine's object tree by itself: what it costs, what it keeps, how it follows the machine."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from guestmap.base import MIB, ConfigError, UnsupportedError
from guestmap.hw.device import DeviceModel
from guestmap.machine import DeviceSpec, MachineConfig, Pc
from guestmap.machine.tree import (
    DeviceObject,
    RegionObject,
    add_region_objects,
    device_path,
    owner_text,
)
from guestmap.qom import NotFoundError
from tests.support.chipset import Chipset

pytestmark = pytest.mark.seabios


def _machine(*devices: str, **config: object) -> Pc:
    specs = tuple(DeviceSpec.parse(device) for device in devices)
    return Pc(MachineConfig(devices=specs, **config))  # type: ignore[arg-type]


def test_a_device_has_a_path_and_a_path_has_a_device():
    pc = _machine("pci-testdev,id=t0")
    assert device_path(pc.tree, pc.hpet) == "/machine/unattached/device[7]"
    found = pc.tree.resolve("/machine/unattached/device[7]")
    assert isinstance(found, DeviceObject)
    assert found.hardware is pc.hpet
    assert device_path(pc.tree, object()) is None


def test_every_device_sits_on_the_bus_that_its_type_declares():
    pc = _machine("pci-bridge,id=b0,chassis_nr=1", "pci-testdev,bus=b0")
    shown = [each for each in pc.tree.devices.values() if isinstance(each.hardware, DeviceModel)]
    placed = {
        each.type.name: (each.parent_bus.type.name if each.parent_bus else "") for each in shown
    }
    declared = {each.hardware.TYPE.name: each.hardware.TYPE.sits_on for each in shown}
    assert {"PCI", "ISA", "System", "i2c-bus"} == set(placed.values()) - {""}
    assert placed == declared


def test_owners_are_told_as_info_mtree_tells_them():
    pc = _machine("pci-testdev,id=t0", "pci-testdev")
    named, unnamed = (pc.bus.devices[slot << 3].bars[0].region for slot in (2, 3))
    assert owner_text(pc.tree, named) == " owner:{dev id=t0}"
    path = "/machine/peripheral-anon/device[0]"
    assert owner_text(pc.tree, unnamed) == f" owner:{{dev path={path}}}"
    assert owner_text(pc.tree, pc.ram) == " owner:{obj path=/objects/pc.ram}"
    assert owner_text(pc.tree, pc.io_region) == " parent:{obj path=/machine/unattached}"
    stray = pc.system.container("stray", 4096)
    assert owner_text(pc.tree, stray) == " orphan"


def test_regions_of_plugged_functions_become_objects_when_somebody_looks():
    pc = _machine(*["pci-testdev"] * 20)
    before = len(pc.tree.regions)
    pc.tree.container("/machine/peripheral-anon")
    assert len(pc.tree.regions) == before
    path = "/machine/peripheral-anon/device[7]/pci-testdev-mmio[0]"
    assert pc.tree.get(path, "size") == 4096
    assert before < len(pc.tree.regions) < before + 10
    parts = _machine().tree
    of_parts = sum(isinstance(each, RegionObject) for each in parts.root.walk())
    assert sum(isinstance(each, RegionObject) for each in pc.tree.root.walk()) == of_parts + 20 * 4


@pytest.mark.parametrize(
    "look",
    [
        lambda device: "bus master[0]" in device.children,
        lambda device: device.step("bus master[0]") is not None,
        lambda device: any(each.name == "bus master[0]" for each in device.properties()),
        lambda device: device.get("bus master[0]") == f"{device.path}/bus master[0]",
        lambda device: device.has_property("bus master[0]"),
    ],
)
def test_every_way_to_look_at_a_device_shows_its_regions(look):
    device = _machine("pci-testdev,id=t0").tree.resolve("/machine/peripheral/t0")
    assert look(device)


def test_a_region_tells_where_it_is_now():
    pc = _machine()
    ports = pc.tree.resolve("piix4-pm[0]")
    assert pc.pm is not None
    pc.pm.config_write(0x40, 0x601, 4)
    pc.pm.config_write(0x80, 1, 1)
    assert (ports.get("addr"), ports.get("size")) == (0x600, 64)
    assert ports.get("container") == "/machine/unattached/io[0]"
    assert ports.step("container") is pc.tree.region(pc.io_region)


def test_an_ejected_function_is_not_kept():
    pc = _machine("pci-testdev,id=t0")
    device = pc.bus.devices[2 << 3]
    shown = pc.tree.resolve("/machine/peripheral/t0")
    regions = len(pc.tree.regions)
    assert len(shown.children) == 4
    assert len(pc.tree.regions) == regions + 4
    pc.io.store(0xAE10, 4, 0)
    pc.io.store(0xAE08, 4, 1 << 2)
    with pytest.raises(NotFoundError):
        pc.tree.resolve("/machine/peripheral/t0")
    assert pc.tree.device(device) is None
    assert len(pc.tree.regions) == regions
    assert isinstance(shown, DeviceObject)
    assert shown.hardware is None
    assert not shown.children


def test_an_object_that_left_the_tree_keeps_no_region():
    pc = _machine()
    pc.manage.object_add("memory-backend-ram", "m0", {"size": MIB})
    shown = pc.tree.resolve("/objects/m0/m0[0]")
    assert isinstance(shown, RegionObject)
    assert shown.region is not None
    pc.manage.object_del("m0")
    assert shown.region is None
    assert shown not in pc.tree.regions.values()


def test_the_tree_keeps_no_machine_alive():
    pc = _machine("pci-testdev")
    assert list(pc.tree.root.walk())
    pc.system.close()
    gone = weakref.ref(pc)
    del pc
    gc.collect()
    assert gone() is None


def test_names_of_regions_are_escaped_and_numbered():
    pc = _machine()
    owner = pc.tree.container("/objects")
    regions = [pc.system.container("/rom@etc/x[1]", 4096) for _ in range(2)]
    add_region_objects(owner, *regions)
    names = [name for name in owner.children if name.startswith("\\x2from")]
    assert names == [rf"\x2from@etc\x2fx\x5b1\x5d[{number}]" for number in range(2)]


def test_settings_are_fixed():
    pc = _machine("pci-testdev,id=t0")
    for path, name, who in (
        ("/machine/unattached/device[9]", "iobase", "anonymous device (type 'isa-pit')"),
        ("/machine/peripheral/t0", "membar", "device 't0' (type 'pci-testdev')"),
    ):
        with pytest.raises(ConfigError) as refusal:
            pc.tree.set(path, name, 64)
        text = f"Attempt to set property '{name}' on {who} after it was realized"
        assert str(refusal.value) == text


def test_hardware_cannot_be_switched_off_by_its_object():
    pc = _machine()
    path = "/machine/unattached/device[7]"
    with pytest.raises(UnsupportedError, match="hpet cannot be unrealized"):
        pc.tree.set(path, "realized", False)
    assert pc.tree.get(path, "realized") is True


def test_many_may_look_at_once():
    pc = _machine(*["pci-testdev"] * 20)
    counts: list[int] = []

    def look() -> None:
        counts.append(sum(1 for _ in pc.tree.root.walk()))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(counts) == {counts[0]}
    assert len(counts) == 8


def test_a_number_that_a_device_has_is_not_given_to_another():
    """Devices of the command line get theirs by their place on it, whichever is made first."""
    tree = Pc(MachineConfig()).tree
    assert tree.name_anonymous(1) == "device[1]"
    assert [tree.name_anonymous() for _ in range(3)] == ["device[0]", "device[2]", "device[3]"]


def test_the_chassis_of_a_bridge_is_what_it_was_made_with():
    chipset = Chipset()
    bridge = chipset.bridge(4, chassis=7)
    bridge.config_write(0x4B, 9, 1)  # the guest renumbers it
    assert bridge.config.data[0x4B] == 9
    assert bridge.value("chassis_nr", 0) == 7
