"""ACPICA, the interpreter of Linux and others, runs our DSDT.

It has memory in the place of registers, so a method that selects slot n and reads an address sees
n in the address's low half: that proves which register was selected before the read.
"""

from __future__ import annotations

import pytest

from guestmap.base import GIB
from guestmap.firmware.acpi import AcpiConfig, DeviceMemoryRange
from guestmap.firmware.acpi.dsdt import SLEEP_TYPES, dsdt
from guestmap.firmware.fw_cfg_items import fw_cfg_items
from tests.firmware.acpi.machines import MACHINES, PLAIN, PLUGGABLE
from tests.support.acpica import Acpiexec, compile_asl, require_acpica, with_checksum

SLOTS = "\\_SB.MHPC"
REGISTERS = """
DefinitionBlock ("", "SSDT", 2, "TEST", "REGS", 1)
{
    OperationRegion (RAWR, SystemIO, 0x0A00, 0x18)
    Field (RAWR, DWordAcc, NoLock, Preserve)
    {
        RALO, 32, RAHI, 32, RLLO, 32, RLHI, 32, RNOD, 32
    }
    Field (RAWR, ByteAcc, NoLock, Preserve)
    {
        Offset (0x14), RFLG, 8
    }
    Field (RAWR, DWordAcc, NoLock, Preserve)
    {
        WSEL, 32, WOEV, 32, WOST, 32
    }
}
"""
"""QEMU's docs/specs/acpi_mem_hotplug.rst: registers as they are read, and as they are written."""

ENABLED, INSERTING, REMOVING, EJECT = 1, 2, 4, 8


@pytest.fixture(autouse=True)
def _acpica():
    require_acpica()


@pytest.fixture
def slots(tmp_path):
    """Make an interpreter for a machine with three slots and given registers."""
    registers = compile_asl(REGISTERS, tmp_path)

    def make(**values):
        table = with_checksum(dsdt(PLUGGABLE))
        fields = {f"\\{name}": value for name, value in values.items()}
        return Acpiexec(tmp_path, table, registers, fields=fields)

    return make


@pytest.mark.parametrize("machine", MACHINES)
def test_it_loads_and_sleep_states_are_those_of_the_chipset(machine, tmp_path):
    config, _ = MACHINES[machine]
    names = [f"\\_S{n}" for n in SLEEP_TYPES]
    packages = Acpiexec(tmp_path, with_checksum(dsdt(config))).evaluate(*names)
    states = fw_cfg_items(config.firmware).files["etc/system-states"]
    for number, found in zip(SLEEP_TYPES, packages, strict=True):
        kind = states[number] & 0x7F
        assert found.integers == [kind, kind, 0, 0]


def test_each_cpu_that_is_there_has_its_processor_id(tmp_path):
    config, _ = MACHINES["sparse APIC IDs"]
    table = with_checksum(dsdt(config))
    found = Acpiexec(tmp_path, table).evaluate(*(f"\\_SB.C{n:03X}._UID" for n in range(5)))
    assert [each.integer for each in found] == [0, 1, 2, 3, 4]
    assert b"C005" not in table


# Slots


@pytest.mark.parametrize("slot", range(3))
def test_a_slot_has_its_range(slots, slot):
    machine = slots(RAHI=0x17, RLLO=0x8000_0000, RLHI=1)
    (crs,) = machine.evaluate(f"{SLOTS}.MP{slot:02X}._CRS")
    first = 0x17_0000_0000 + slot
    assert crs.buffer[:3] == b"\x8a\x2b\x00"
    assert int.from_bytes(crs.buffer[14:22], "little") == first
    assert int.from_bytes(crs.buffer[22:30], "little") == first + 0x1_8000_0000 - 1
    assert int.from_bytes(crs.buffer[38:46], "little") == 0x1_8000_0000
    assert crs.buffer[46:] == b"\x79\x00"


@pytest.mark.parametrize(("enabled", "status"), [(0xFE, 0), (ENABLED, 0x0F)])
def test_a_slot_is_there_when_the_controller_says_so(slots, enabled, status):
    state, selected = slots(RFLG=enabled).evaluate(f"{SLOTS}.MP02._STA", "\\WSEL")
    assert (state.integer, selected.integer) == (status, 2)


def test_a_slots_proximity_domain(slots):
    domain, selected = slots(RNOD=0x1234).evaluate(f"{SLOTS}.MP01._PXM", "\\WSEL")
    assert (domain.integer, selected.integer) == (0x1234, 1)


def test_the_answer_to_an_event_is_passed_on(slots):
    answer = f"{SLOTS}.MP01._OST 0x103 0x84 (00)"
    _, *found = slots().evaluate(answer, "\\WSEL", "\\WOEV", "\\WOST")
    assert [each.integer for each in found] == [1, 0x103, 0x84]


def test_eject_writes_the_eject_bit_and_no_other(slots):
    machine = slots(RFLG=ENABLED | INSERTING | REMOVING)
    _, selected, flags = machine.evaluate(f"{SLOTS}.MP02._EJ0 1", "\\WSEL", "\\RFLG")
    assert (selected.integer, flags.integer) == (2, EJECT)


@pytest.mark.parametrize("scan", [f"{SLOTS}.MSCN", "\\_GPE._E03"])
@pytest.mark.parametrize(("event", "value"), [(INSERTING, 1), (REMOVING, 3)])
def test_a_scan_tells_the_slots_drivers(slots, scan, event, value):
    told = slots(RFLG=ENABLED | event).notifications(scan)
    # Memory in place of registers keeps the 1 that takes an event back: each slot shows it.
    assert told == [("MP00", value), ("MP01", value), ("MP02", value)]


def test_a_scan_is_silent_when_nothing_happened(slots):
    assert slots(RFLG=ENABLED).notifications(f"{SLOTS}.MSCN") == []


@pytest.mark.parametrize("event", [INSERTING, REMOVING])
def test_a_scan_takes_the_event_back_and_touches_nothing_else(slots, event):
    """A 1 written to an event's bit clears it; a 1 in the highest would eject."""
    _, flags = slots(RFLG=ENABLED | event).evaluate(f"{SLOTS}.MSCN", "\\RFLG", notifies=True)
    assert flags.integer == event


def test_a_scan_looks_at_every_slot(slots):
    _, selected = slots(RFLG=ENABLED).evaluate(f"{SLOTS}.MSCN", "\\WSEL")
    assert selected.integer == 2


def test_the_lock_is_free_after_each_method(slots):
    """A mutex that a method leaves behind is an error, which the interpreter reports."""
    methods = ["_STA", "_CRS", "_PXM", "_OST 1 0 (00)", "_EJ0 1"]
    assert slots().evaluate(*(f"{SLOTS}.MP00.{each}" for each in methods), f"{SLOTS}.MSCN")


def test_all_of_256_slots_have_a_name_and_are_told(tmp_path):
    config = AcpiConfig(
        firmware=PLAIN.firmware, device_memory=DeviceMemoryRange(4 * GIB, 1024 * GIB, 256)
    )
    machine = Acpiexec(tmp_path, with_checksum(dsdt(config)), fields={f"{SLOTS}.MINS": 1})
    assert machine.notifications(f"{SLOTS}.MSCN") == [(f"MP{n:02X}", 1) for n in range(256)]


def test_without_slots_there_is_no_controller_and_no_event():
    table = dsdt(PLAIN)
    assert b"MHPC" not in table
    assert b"_E03" not in table


# Interrupt links


@pytest.mark.parametrize("letter", "ABCD")
def test_a_link_can_be_read_set_and_switched_off(letter, tmp_path):
    link, route = f"\\_SB.LNK{letter}", f"\\_SB.PCI0.ISA.PRQ{letter}"
    eleven = "89 06 00 09 01 0B 00 00 00 79 00"
    machine = Acpiexec(tmp_path, with_checksum(dsdt(PLAIN)), fields={route: 10})
    state, now, _, set_to, after, _, off, state_off, now_off = machine.evaluate(
        f"{link}._STA", f"{link}._CRS", f"{link}._SRS ({eleven})", route,
        f"{link}._CRS", f"{link}._DIS", route, f"{link}._STA", f"{link}._CRS",
    )  # fmt: skip
    assert (state.integer, state_off.integer) == (0x0B, 0x09)
    assert (set_to.integer, off.integer) == (11, 0x80)
    assert [each.buffer[5] for each in (now, after, now_off)] == [10, 11, 0]
