"""What is read of a machine that is played: each answer, and what is so where there is none."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.base import GIB, MIB, AddrRange
from guestmap.domain import Situation, survey
from guestmap.qmp.client import CommandError
from tests.domain.machines import BASE, RAM, ROOM, WINDOW, FakeMachine, dimm, holding


def seen(**answers: Any) -> Situation:
    """Return what is read where some commands, or properties, are answered otherwise."""
    machine = FakeMachine()
    told = machine._qom_get
    properties = answers.pop("properties", {})

    def get(path: str, property: str) -> object:  # noqa: A002
        name = f"{path}.{property}"
        if properties.get(name, 0) is None:
            raise CommandError(f"Property '{name}' not found", "GenericError")
        return properties[name] if name in properties else told(path, property)

    machine._qom_get = get  # type: ignore[method-assign]
    for name, answer in answers.items():
        setattr(machine, f"_{name}", lambda answer=answer: answer)
    return survey(machine.peer()).situation


def test_a_machine_is_read_as_it_is():
    assert seen() == ROOM
    one = holding(dimm(0, BASE, GIB))
    assert survey(FakeMachine(situation=one).peer()).situation == one


START, SIZE = "/machine/device-memory[0].addr", "/machine/device-memory[0].size"
MEMORY = "/machine.memory"


def memory(*, most: int = 4 * GIB, slots: int = 4, size: int = RAM) -> dict[str, int]:
    return {"size": size, "slots": slots, "max-size": most}


WINDOWS = {
    "none": ({START: None}, (None, 0, 2 * MIB)),
    "no size": ({SIZE: None}, (None, 0, 2 * MIB)),
    "before all": ({START: -1}, (None, 0, 2 * MIB)),
    "beyond all": ({START: 1 << 64}, (None, 0, 2 * MIB)),
    "as QEMU pads it": ({}, (WINDOW, 4 * GIB, 2 * MIB)),
    "a byte less": ({SIZE: WINDOW.size - 1}, (AddrRange(BASE, WINDOW.size - 1), 4 * GIB, 4096)),
    "no maxmem told": ({MEMORY: memory(most=0)}, (WINDOW, 4 * GIB, 2 * MIB)),
    "not padded": ({SIZE: 4 * GIB - RAM}, (AddrRange(BASE, 4 * GIB - RAM), 4 * GIB, 4096)),
    "another type": ({SIZE: 4 * GIB - RAM, MEMORY: memory(most=0),
                      "/machine.type": "pseries-7.2-machine"},
                     (AddrRange(BASE, 4 * GIB - RAM), 4 * GIB, 2 * MIB)),
}  # fmt: skip


@pytest.mark.parametrize("what", WINDOWS)
def test_the_room_is_what_the_machine_says(what):
    properties, told = WINDOWS[what]
    more = {"query_target": {"arch": "ppc64"}} if what == "another type" else {}
    found = seen(properties=properties, **more)
    assert (found.window, found.max_ram, found.alignment) == told


def test_sizes_come_from_elsewhere_where_the_machine_does_not_tell():
    found = seen(properties={MEMORY: None})
    assert (found.ram, found.slots, found.max_ram) == (RAM, 4, 4 * GIB)
    assert seen(properties={MEMORY: memory(slots=9)}).slots == 9


MIGRATIONS = {"none": "", "completed": "", "failed": "", "cancelled": "", "active": "active",
              "setup": "setup", "postcopy-active": "postcopy-active"}  # fmt: skip


@pytest.mark.parametrize("state", MIGRATIONS)
def test_a_migration_that_is_over_is_none(state):
    assert seen(query_migrate={"status": state}).migration == MIGRATIONS[state]


def test_how_it_runs_is_told():
    assert seen(query_kvm={"enabled": True, "present": True}).kvm
    assert not seen(query_kvm={"enabled": False, "present": True}).kvm
    paused = seen(query_status={"status": "paused", "running": False})
    assert (paused.status, paused.running) == ("paused", False)
    assert seen(query_cpus_fast=[]).run == ""
    assert seen(properties={"/machine.acpi": "off"}).acpi is False
    assert seen(properties={"/machine.acpi": None}).acpi_switch == ""


ACPI = {"/machine.acpi-device": "/machine/pm", "/machine/pm.memory-hotplug-support": True,
        "/machine/pm.gpe0_blk": 0xAFE0, "/machine/pm.gpe0_blk_len": 4}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "acpi", "gpe"),
    [
        ({}, True, None),
        ({"/machine/pm.memory-hotplug-support": False}, False, None),
        ({"/machine/pm.memory-hotplug-support": None}, True, None),
        ({"/machine/pm.gpe0_blk": 0xFE}, True, None),
        ({"/machine/pm.gpe0_blk": 0xFD}, True, False),
        ({"/machine/pm.gpe0_blk": 0x10000}, True, False),
        ({"/machine/pm.gpe0_blk": 0}, True, None),
        ({"/machine/pm.gpe0_blk_len": 0}, True, None),
    ],
)
def test_acpi_is_asked_of_the_device_that_has_it(changes, acpi, gpe):
    found = seen(properties=ACPI | changes)
    assert (found.acpi, found.gpe_enabled) == (acpi, gpe)


@pytest.mark.parametrize(
    ("value", "is_on"), [(0x08, True), (0xFF, True), (0xF7, False), (0, False)]
)
def test_the_guest_switched_its_event_on_by_bit_3(value, is_on):
    machine = FakeMachine()
    told, said = machine._qom_get, machine._human_monitor_command
    machine._qom_get = lambda path, property: (  # type: ignore[method-assign]  # noqa: A006
        ACPI.get(f"{path}.{property}") or told(path, property))  # fmt: skip
    asked = {"i /1xb 0xafe2": f"portb[0xafe2] = {value:#x}\r\n"}
    machine._human_monitor_command = lambda command_line: (  # type: ignore[method-assign]
        asked.get(command_line) or said(command_line))  # fmt: skip
    assert survey(machine.peer()).situation.gpe_enabled is is_on
