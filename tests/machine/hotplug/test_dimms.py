"""DIMMs by themselves: slots at both ends, what is not said, and what is told of them.

Texts are QEMU 7.2's (hw/mem/pc-dimm.c).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from guestmap.base import GIB, MIB, ConfigError, ManualClock
from guestmap.machine import DeviceSpec, MachineConfig, Pc
from guestmap.machine.hotplug.pc_dimm import free_slot
from guestmap.qom import ObjectType, TypeTable

pytestmark = pytest.mark.seabios

FIRST = 4 * GIB


@pytest.fixture
def pc() -> Iterator[Pc]:
    made = Pc(MachineConfig(slots=4, max_ram=2 * GIB), ManualClock())
    for name in ("m0", "m1"):
        made.manage.object_add("memory-backend-ram", name, {"size": 64 * MIB})
    yield made
    made.system.close()


@pytest.mark.parametrize(("taken", "wanted", "slots", "slot"), [
    ([], -1, 1, 0), ([], -1, 256, 0), ([0], -1, 2, 1), ([1], -1, 2, 0), ([0, 2], -1, 3, 1),
    ([2, 1, 0], -1, 4, 3), ([], 0, 1, 0), ([], 3, 4, 3), ([0, 1], 2, 3, 2), ([0, 2], 1, 3, 1),
    ([], 255, 256, 255),
])  # fmt: skip
def test_the_slot_that_is_asked_for_or_the_first(
    taken: list[int], wanted: int, slots: int, slot: int
) -> None:
    assert free_slot(taken, wanted, slots) == slot


@pytest.mark.parametrize(("taken", "wanted", "slots", "refusal"), [
    ([], -1, 0, "no slots where allocated, please specify the 'slots' option"),
    ([0], -1, 1, "no free slots available"), ([1, 0], -1, 2, "no free slots available"),
    ([0], 0, 1, "slot 0 is busy"), ([0, 3], 3, 4, "slot 3 is busy"),
    ([], 1, 1, "invalid slot number 1, valid range is [0-0]"),
    ([], 4, 4, "invalid slot number 4, valid range is [0-3]"),
    ([], -2, 4, "invalid slot number -2, valid range is [0-3]"),
    ([], 0, 0, "invalid slot number 0, valid range is [0-18446744073709551615]"),
])  # fmt: skip
def test_no_such_slot(taken: list[int], wanted: int, slots: int, refusal: str) -> None:
    with pytest.raises(ConfigError) as told:
        free_slot(taken, wanted, slots)
    assert str(told.value) == refusal


def test_types_that_were_looked_up_are_not_when_the_first_dimm_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    machine = Pc(MachineConfig(slots=4, max_ram=2 * GIB), ManualClock())
    looked_up: list[str] = []
    inherit = TypeTable._inherit

    def noted(types: TypeTable, type_: ObjectType, below: frozenset[str]) -> Any:
        looked_up.append(type_.name)
        return inherit(types, type_, below)

    monkeypatch.setattr(TypeTable, "_inherit", noted)
    machine.manage.look_up_types()
    assert "pc-dimm" in looked_up
    looked_up.clear()
    machine.manage.object_add("memory-backend-ram", "m", {"size": 64 * MIB})
    machine.manage.device_add("pc-dimm", "d", {"memdev": "m"})
    assert looked_up == []
    machine.system.close()


def test_what_a_dimm_is_before_anything_is_said_of_it(pc: Pc) -> None:
    dimm = pc.types.new("pc-dimm")
    assert {name: dimm.get(name) for name in ("addr", "node", "slot", "size", "memdev")} == {
        "addr": 0, "node": 0, "slot": -1, "size": 0, "memdev": "",
    }  # fmt: skip


def test_what_is_told_of_those_that_are_plugged_in(pc: Pc) -> None:
    pc.manage.device_add("pc-dimm", "d1", {"memdev": "m1", "slot": 2, "addr": FIRST + 128 * MIB})
    pc.manage.device_add("pc-dimm", None, {"memdev": "m0"}, hotplugged=False)
    same = {"node": 0, "size": 64 * MIB, "hotpluggable": True}
    first = {"addr": FIRST, "slot": 0, "memdev": "/objects/m0", "hotplugged": False}
    other = {"addr": FIRST + 128 * MIB, "slot": 2, "memdev": "/objects/m1", "hotplugged": True}
    assert pc.manage.memory_devices() == [
        {"type": "dimm", "data": same | first},
        {"type": "dimm", "data": same | other | {"id": "d1"}},
    ]  # fmt: skip
    assert pc.manage.memory_size_summary() == {
        "base-memory": 128 * MIB, "plugged-memory": 128 * MIB,
    }  # fmt: skip
    assert pc.manage.present(pc.config).devices == (
        DeviceSpec("pc-dimm", {"memdev": "m0", "node": 0, "slot": 0, "addr": FIRST}, is_json=True),
        DeviceSpec(
            "pc-dimm",
            {"memdev": "m1", "node": 0, "slot": 2, "addr": FIRST + 128 * MIB, "id": "d1"},
            is_json=True,
        ),
    )


def test_a_dimm_that_was_refused_may_be_plugged_in_where_there_is_room(pc: Pc) -> None:
    """Slot and address are again what was said of it: any."""
    pc.manage.device_add("pc-dimm", "d0", {"memdev": "m0"})
    with pytest.raises(ConfigError, match="already busy memdev: m0"):
        pc.manage.device_add("pc-dimm", "d1", {"memdev": "m0"})
    pc.manage.device_add("pc-dimm", "d1", {"memdev": "m1"})
    (_, second) = pc.manage.memory_devices()
    assert second["data"]["slot"] == 1  # type: ignore[index,call-overload]
    assert [(each["id"]) for each in pc.manage.memory_backends()][-2:] == ["m0", "m1"]  # type: ignore[index,call-overload]


@pytest.mark.parametrize(("slots", "status"), [(1, ["0"]), (4, ["0", "1", "2", "3"])])
def test_each_slot_has_a_status(slots: int, status: list[str]) -> None:
    pc = Pc(MachineConfig(slots=slots, max_ram=GIB), ManualClock())
    with pc.system:
        told = pc.manage.acpi_ospm_status()
        assert told == [
            {"source": 0, "status": 0, "slot": each, "slot-type": "DIMM"} for each in status
        ]
        pc.manage.object_add("memory-backend-ram", "m0", {"size": MIB * 2})
        pc.manage.device_add("pc-dimm", "d", {"memdev": "m0"})
        assert pc.manage.acpi_ospm_status()[0] == {"device": "d"} | dict(told[0])  # type: ignore[arg-type]
