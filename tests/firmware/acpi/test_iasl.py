"""iasl reads every table without complaint, and makes the same bytes of what it read."""

from __future__ import annotations

import pytest

from guestmap.firmware.acpi import TABLES_FILE, acpi_files
from tests.firmware.acpi.machines import MACHINES
from tests.support.acpi_walk import split_tables
from tests.support.acpica import (
    compile_asl,
    disassemble,
    require_acpica,
    same_but_for_compiler,
    with_checksum,
)


@pytest.fixture(autouse=True)
def _acpica():
    require_acpica()


@pytest.mark.parametrize("machine", MACHINES)
def test_tables_survive_a_round_trip_through_source(machine, tmp_path):
    config, _ = MACHINES[machine]
    tables = split_tables(acpi_files(config)[TABLES_FILE])
    assert {"FACS", "DSDT", "FACP", "APIC", "HPET", "WAET", "RSDT"} <= set(tables)
    for signature, table in tables.items():
        if signature != "FACS":
            table = with_checksum(table)
        again = compile_asl(disassemble(table, tmp_path), tmp_path)
        assert same_but_for_compiler(again) == same_but_for_compiler(table), signature
