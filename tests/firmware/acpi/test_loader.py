"""The script, obeyed by a firmware of the tests' own, puts every table where it can be found."""

from __future__ import annotations

import struct

import pytest

from guestmap.base import GIB, MIB, ConfigError
from guestmap.firmware import FirmwareConfig, fw_cfg_items
from guestmap.firmware.acpi import (
    LOADER_BYTES,
    LOADER_FILE,
    RSDP_FILE,
    TABLES_BYTES,
    TABLES_FILE,
    AcpiConfig,
    DeviceMemoryRange,
    ProximityDomain,
    acpi_files,
)
from guestmap.firmware.acpi.loader import TableLoader, Zone
from tests.firmware.acpi.machines import MACHINES, PLAIN
from tests.support.acpi_walk import tables_from
from tests.support.table_loader import F_SEGMENT_BASE, HIGH_BASE, Firmware


def install(config: AcpiConfig) -> Firmware:
    files = acpi_files(config)
    firmware = Firmware(files)
    firmware.obey(files[LOADER_FILE])
    return firmware


@pytest.mark.parametrize("machine", MACHINES)
def test_tables_are_found_from_the_rsdp(machine):
    config, _ = MACHINES[machine]
    firmware = install(config)
    assert firmware.placed == {RSDP_FILE: F_SEGMENT_BASE, TABLES_FILE: HIGH_BASE}
    found = tables_from(bytes(firmware.content[RSDP_FILE]), firmware.read)
    srat = {"SRAT"} if config.nodes else set()
    assert set(found) == {"RSDT", "FACP", "APIC", "HPET", "WAET", "FACS", "DSDT"} | srat


def test_without_the_script_no_pointer_and_no_checksum_is_complete():
    """What makes the test above mean something."""
    files = acpi_files(PLAIN)
    assert sum(files[RSDP_FILE]) & 0xFF != 0
    (rsdt,) = struct.unpack_from("<I", files[RSDP_FILE], 16)
    assert rsdt < TABLES_BYTES


def test_files_have_qemus_sizes():
    sizes = {name: len(data) for name, data in acpi_files(PLAIN).items()}
    assert sizes == {RSDP_FILE: 20, TABLES_FILE: TABLES_BYTES, LOADER_FILE: LOADER_BYTES}
    assert sizes[TABLES_FILE] == 0x20000
    assert sizes[LOADER_FILE] == 0x1000


def test_the_largest_machine_fits():
    most = AcpiConfig(
        firmware=FirmwareConfig(below_4g=3 * GIB, above_4g=61 * GIB, cpus=255),
        serial=True,
        device_memory=DeviceMemoryRange(start=65 * GIB, size=512 * GIB, slots=256),
        numa_nodes=tuple(ProximityDomain(GIB // 2, frozenset({n})) for n in range(128)),
    )
    found = tables_from(bytes(install(most).content[RSDP_FILE]), install(most).read)
    assert len(found["DSDT"]) > 0x8000


def test_files_join_the_others_of_fw_cfg():
    files = fw_cfg_items(PLAIN.firmware, acpi_files(PLAIN)).files
    assert {RSDP_FILE, TABLES_FILE, LOADER_FILE, "etc/e820"} <= set(files)


def test_entries_have_their_fields_where_firmware_looks_for_them():
    loader = TableLoader()
    loader.allocate("etc/a", 64, Zone.HIGH)
    loader.add_pointer("etc/a", 0x11223344, "etc/b", 8)
    loader.add_checksum("etc/a", 9, 0, 0x55667788)
    script = loader.script()
    assert len(script) == 3 * 128
    one, two, three = script[:128], script[128:256], script[256:]
    assert one == b"\1\0\0\0" + b"etc/a".ljust(56, b"\0") + b"\x40\0\0\0\1" + bytes(63)
    names = b"etc/a".ljust(56, b"\0") + b"etc/b".ljust(56, b"\0")
    assert two == b"\2\0\0\0" + names + b"\x44\x33\x22\x11\x08" + bytes(7)
    numbers = b"\x09\0\0\0" + bytes(4) + b"\x88\x77\x66\x55"
    assert three == b"\3\0\0\0" + b"etc/a".ljust(56, b"\0") + numbers + bytes(56)


def test_a_file_name_that_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="55"):
        TableLoader().allocate("x" * 56, 1, Zone.HIGH)


@pytest.mark.parametrize("slots", [-1, 257])
def test_more_than_256_slots_are_refused(slots):
    with pytest.raises(ConfigError, match="unsupported amount of memory slots"):
        DeviceMemoryRange(start=4 * GIB, size=GIB, slots=slots)


def test_nodes_must_share_out_all_ram():
    with pytest.raises(ConfigError, match="should equal RAM size"):
        AcpiConfig(
            firmware=FirmwareConfig(below_4g=128 * MIB), numa_nodes=(ProximityDomain(64 * MIB),)
        )
