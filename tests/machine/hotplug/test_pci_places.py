"""Where a PCI function goes, and what is said where it cannot: each slot, both ends.

Texts are QEMU 7.2's; a number is what C's scanf takes for hexadecimal, as there
(hw/core/qdev-properties-system.c).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from guestmap.base import ConfigError, ManualClock
from guestmap.machine import DeviceSpec, MachineConfig, Pc
from guestmap.qom import JsonValue

pytestmark = pytest.mark.seabios


@pytest.fixture
def pc() -> Iterator[Pc]:
    made = Pc(MachineConfig(), ManualClock())
    yield made
    made.system.close()


def add(pc: Pc, id_: str | None = "t", *, later: bool = True, **properties: JsonValue) -> None:
    pc.manage.device_add("pci-testdev", id_, properties, hotplugged=later, typed=True)


def place(pc: Pc, id_: str) -> int:
    (found,) = (each for each in pc.bus.devices.values() if each.label == id_)
    return found.devfn


@pytest.mark.parametrize(("addr", "devfn"), [
    ("2", 0x10), ("02", 0x10), ("1f", 0xF8), ("1F", 0xF8), ("1f.0", 0xF8), ("1f.7", 0xFF),
    ("3.1", 0x19), ("a", 0x50), ("0A.6", 0x56), (0x10, 0x10), (0x11, 0x11), (0xFF, 0xFF),
    (-1, 0x10), ("002", 0x10), (" 2", 0x10), ("\t2", 0x10), ("+2", 0x10), ("0x2", 0x10),
    ("0X3", 0x18), ("2. 3", 0x13), ("0x2.0x1", 0x11), ("2.01", 0x11), ("002.007", 0x17),
])  # fmt: skip
def test_a_place_that_is_free(pc: Pc, addr: JsonValue, devfn: int) -> None:
    add(pc, addr=addr)
    assert place(pc, "t") == devfn


@pytest.mark.parametrize("addr", [
    "20", "ff", "100", "2.8", "2.", ".1", "2.10", "g", "", "2 ", "-1", "0x20", "2.-1", "+",
    -2, 256, 1 << 30,
])  # fmt: skip
def test_what_is_no_place(pc: Pc, addr: JsonValue) -> None:
    before = dict(pc.bus.devices)
    with pytest.raises(ConfigError) as told:
        add(pc, addr=addr)
    assert str(told.value) == f"Property 'pci-testdev.addr' doesn't take value '{addr}'"
    assert pc.bus.devices == before


def test_the_first_free_slot_and_none() -> None:
    pc = Pc(MachineConfig(), ManualClock())
    with pc.system:
        for slot in range(2, 32):
            add(pc, f"t{slot}")
            assert place(pc, f"t{slot}") == slot << 3
        with pytest.raises(ConfigError) as told:
            add(pc)
        assert str(told.value) == (
            "PCI: no slot/function available for pci-testdev, all in use or reserved"
        )


@pytest.mark.parametrize(("id_", "who"), [("x", "x"), (None, "(null)")])
@pytest.mark.parametrize(
    ("addr", "where"), [("4", "slot 4 function 0"), ("4.3", "slot 4 function 3")]
)
def test_a_place_that_somebody_has(
    pc: Pc, id_: str | None, who: str, addr: str, where: str
) -> None:
    add(pc, id_, addr=addr)
    for later in (True, False):
        with pytest.raises(ConfigError) as told:
            add(pc, addr=addr, later=later)
        assert str(told.value) == (
            f"PCI: {where} not available for pci-testdev, in use by pci-testdev,id={who}"
        )


def test_the_guest_is_shown_no_function_beside_one_that_it_has_seen(pc: Pc) -> None:
    add(pc, "first", addr="4", multifunction=True)
    with pytest.raises(ConfigError) as told:
        add(pc, addr="4.1")
    assert str(told.value) == (
        "PCI: slot 4 function 0 already occupied by pci-testdev, new func pci-testdev cannot be"
        " exposed to guest."
    )
    add(pc, "t", addr="4.1", later=False)
    add(pc, "u", addr="5.1")  # before its function 0
    add(pc, "v", addr="5", multifunction=True)
    assert [place(pc, each) for each in ("t", "u", "v")] == [0x21, 0x29, 0x28]


def test_a_device_is_asked_for_once(pc: Pc) -> None:
    add(pc, "t", addr="4")
    pc.manage.device_del("t")
    with pytest.raises(ConfigError, match=r"^Device t is already in the process of unplug$"):
        pc.manage.device_del("t")
    pc.io.store(0xAE10, 4, 0)
    pc.io.store(0xAE08, 4, 1 << 4)
    add(pc, "t", addr="4")
    pc.manage.device_del("t")


def test_what_would_plug_it_in_again(pc: Pc) -> None:
    """The place is named, once it might be another."""
    add(pc, "a", later=False)
    add(pc, "b", addr="6", membar=65536)
    add(pc, None)
    specs = pc.manage.present(pc.config).devices
    assert specs == (
        DeviceSpec("pci-testdev", {"id": "a", "bus": "pci.0", "addr": "2.0"}, is_json=True),
        DeviceSpec(
            "pci-testdev", {"id": "b", "bus": "pci.0", "addr": "6.0", "membar": 65536},
            is_json=True, came_later=True,
        ),
        DeviceSpec("pci-testdev", {"bus": "pci.0", "addr": "3.0"}, is_json=True, came_later=True),
    )  # fmt: skip
