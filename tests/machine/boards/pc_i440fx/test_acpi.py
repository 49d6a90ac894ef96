"""SeaBIOS installs our tables, and what they say of the machine is so."""

from __future__ import annotations

import struct

import pytest

from guestmap.firmware.acpi import TABLES_FILE, AcpiConfig, acpi_files
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from tests.support.acpi_walk import split_tables, tables_from

pytestmark = [pytest.mark.unicorn, pytest.mark.seabios]

F_SEGMENT = (0xF0000, 0x10000)


@pytest.fixture(scope="module")
def booted():
    with VirtualMachine(MachineConfig(debugcon=True, serial=True)) as vm:
        vm.run(until=Phase.HALT)
        yield vm


@pytest.fixture(scope="module")
def installed(booted):
    """All tables, found as an operating system finds them."""
    memory = booted.board.memory
    segment = memory.read(*F_SEGMENT)
    places = [at for at in range(0, len(segment), 16) if segment[at : at + 8] == b"RSD PTR "]
    assert len(places) == 1
    return tables_from(segment[places[0] :][:20], memory.read)


def test_seabios_parses_the_dsdt(booted):
    lines = [line.text for line in booted.log]
    assert any(line.startswith("ACPI: parse DSDT at 0x") for line in lines)
    assert not [line for line in lines if "parse_error" in line or "parse error" in line.lower()]


def test_the_installed_tables_are_ours(booted, installed):
    config = AcpiConfig(firmware=booted.board.firmware, serial=True)
    ours = split_tables(acpi_files(config)[TABLES_FILE])
    assert set(installed) == set(ours)
    for signature in set(ours) - {"FACS", "FACP", "RSDT"}:
        mine, found = bytearray(ours[signature]), bytearray(installed[signature])
        mine[9] = found[9] = 0
        assert mine == found, signature


def test_the_fadts_ports_are_where_the_registers_are(booted, installed):
    fadt = installed["FACP"]
    offsets = {"acpi-evt": 56, "acpi-cnt": 64, "acpi-tmr": 76, "acpi-gpe0": 80}
    for name, offset in offsets.items():
        (port,) = struct.unpack_from("<I", fadt, offset)
        section = booted.board.io.find(port)
        assert section is not None
        assert (section.region.name, section.offset_within_region) == (name, 0)


def test_the_tables_own_the_memory_that_firmware_reserved(booted):
    """128 KiB at the top, as with QEMU's tables: the E820 map then has the same ranges."""
    top = booted.board.config.ram_size
    line = f"{top - 0x20000:016x} - {top:016x} = 2 RESERVED"
    assert any(line in each.text for each in booted.log)
