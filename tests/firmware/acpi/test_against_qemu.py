"""Our tables beside QEMU's, as it hands them to a firmware that has placed the PM registers.

Data tables are compared byte for byte behind the header, in which makers name themselves. The two
DSDTs share no code: what is compared is what they answer, when ACPICA asks both.
"""

from __future__ import annotations

import re
import struct

import pytest

from guestmap.firmware.acpi import (
    LOADER_BYTES,
    LOADER_FILE,
    LOADER_MAX_BYTES,
    RSDP_FILE,
    RSDP_MAX_BYTES,
    TABLES_BYTES,
    TABLES_FILE,
    TABLES_MAX_BYTES,
    acpi_files,
)
from guestmap.firmware.acpi.tables import FADT_DSDT, FADT_FACS
from tests.firmware.acpi.machines import MACHINES
from tests.support.acpi_walk import split_tables, tables_from
from tests.support.acpica import Acpiexec, compile_asl, with_checksum
from tests.support.fw_cfg import read_file
from tests.support.qemu import Qemu
from tests.support.table_loader import Firmware

pytestmark = [pytest.mark.qemu, pytest.mark.qemu_7_2("the ACPI tables that it gives its firmware")]

FILES = (RSDP_FILE, TABLES_FILE, LOADER_FILE)
PM_FUNCTION = 0x8000_0B00
PLUGGABLE_MACHINES = [name for name, (config, _) in MACHINES.items() if config.slots]
MAKERS = slice(9, 36)  # checksum, OEM and compiler


def make_both(machine):
    """Return a machine's configuration, our files and QEMU's."""
    config, arguments = MACHINES[machine]
    with Qemu(*arguments) as qemu:
        for register, value in ((0x40, config.pm_base | 1), (0x80, 1)):
            qemu.outl(0xCF8, PM_FUNCTION | register)
            qemu.outl(0xCFC, value)
        return config, acpi_files(config), {name: read_file(qemu, name) for name in FILES}


def _id(machine: str) -> str:
    return machine.replace(" ", "-")


@pytest.fixture(scope="module", params=MACHINES, ids=_id)
def both(request):
    return make_both(request.param)


@pytest.fixture(scope="module", params=PLUGGABLE_MACHINES, ids=_id)
def both_pluggable(request):
    return make_both(request.param)


def installed(files: dict[str, bytes]) -> dict[str, bytes]:
    firmware = Firmware(files)
    firmware.obey(files[LOADER_FILE])
    return tables_from(bytes(firmware.content[RSDP_FILE]), firmware.read)


def test_the_same_tables_in_the_same_order(both):
    _, ours, theirs = both
    assert list(split_tables(ours[TABLES_FILE])) == list(split_tables(theirs[TABLES_FILE]))
    assert {name: len(data) for name, data in ours.items()} == {
        name: len(data) for name, data in theirs.items()
    }


def test_data_tables_hold_the_same(both):
    _, ours, theirs = (installed(each) if isinstance(each, dict) else each for each in both)
    for signature in set(theirs) - {"DSDT", "RSDT"}:
        mine, other = bytearray(ours[signature]), bytearray(theirs[signature])
        if signature != "FACS":
            mine[MAKERS] = other[MAKERS] = bytes(27)
        if signature == "FACP":
            for table in (mine, other):
                table[FADT_FACS : FADT_DSDT + 4] = bytes(8)
        assert mine.hex(" ", 4) == other.hex(" ", 4), signature


def test_the_script_does_the_same(both):
    """Offsets differ with the DSDT's length; commands, files, sizes and their order do not."""
    _, ours, theirs = both

    def shape(script: bytes) -> list[tuple]:
        shapes = []
        for at in range(0, len(script), 128):
            entry = script[at : at + 128]
            (command,) = struct.unpack_from("<I", entry)
            tail = {1: entry[60:65], 2: entry[60:116] + entry[120:121]}.get(command, b"")
            shapes.append((command, entry[4:60], tail))
        return shapes

    assert shape(ours[LOADER_FILE]) == shape(theirs[LOADER_FILE])


# What the DSDTs answer. QEMU's names for the same things stand on the right.

SAME = {
    "\\_S3": "\\_S3",
    "\\_S4": "\\_S4",
    "\\_S5": "\\_S5",
    "\\_SB.PCI0._HID": "\\_SB.PCI0._HID",
    "\\_SB.PCI0._CRS": "\\_SB.PCI0._CRS",
    "\\_SB.HPET._HID": "\\_SB.HPET._HID",
    "\\_SB.HPET._CRS": "\\_SB.HPET._CRS",
    "\\_SB.PCI0.FWCF._CRS": "\\_SB.PCI0.FWCF._CRS",
    "\\_SB.PCI0.FWCF._STA": "\\_SB.PCI0.FWCF._STA",
    "\\_SB.PCI0.ISA._ADR": "\\_SB.PCI0.S08._ADR",
} | {
    f"\\_SB.LNK{letter}.{name}": f"\\_SB.LNK{letter}.{name}"
    for letter in "ABCDS"
    for name in ("_HID", "_UID", "_PRS", "_STA", "_CRS")
} | {
    f"\\_SB.PCI0.ISA.{name}": f"\\_SB.PCI0.S08.{name}"
    for name in (
        "KBD._HID", "KBD._CRS", "KBD._STA", "MOU._HID", "MOU._CRS", "MOU._STA",
        "RTC._HID", "RTC._CRS", "FDC0._HID", "FDC0._CRS", "FDC0._FDE",
    )
}  # fmt: skip
PRT_READER = """
DefinitionBlock ("", "SSDT", 2, "TEST", "PRT", 1)
{{
    External (\\_SB.PCI0._PRT, {kind})
    Name (PART, Package (32) {{}})
    Method (\\PRTN) {{ Return (SizeOf (\\_SB.PCI0._PRT{call})) }}
    Method (\\PRTQ, 1, Serialized)
    {{
        Local0 = \\_SB.PCI0._PRT{call}
        Local1 = Zero
        While (Local1 < 32)
        {{
            PART [Local1] = DerefOf (Local0 [Local1 + Arg0 * 32])
            Local1++
        }}
        Return (PART)
    }}
}}
"""
"""acpiexec cannot print 128 entries at once."""


class Board:
    """One side: a DSDT with ACPICA to run it."""

    def __init__(self, files, folder, fields=None, reader=()):
        table = with_checksum(installed(files)["DSDT"])
        self.acpica = Acpiexec(folder, table, *reader, fields=fields)

    def answers(self, objects):
        found = self.acpica.evaluate(*objects)
        return [
            (each.integers, [_without_alignment(data) for data in each.buffers], each.names)
            for each in found
        ]


def _without_alignment(data: bytes) -> bytes:
    """Blank the alignment of fixed I/O ranges: it says nothing, and QEMU's floppy has 0."""
    return re.sub(rb"(\x47\x01(..)\2).", rb"\1\0", data, flags=re.DOTALL)


def test_dsdts_give_the_same_answers(both, tmp_path):
    config, ours, theirs = both
    pairs = dict(SAME)
    for port in ("COM1",) * config.serial + ("LPT1",) * config.parallel:
        for name in ("_HID", "_CRS", "_STA", "_UID"):
            pairs[f"\\_SB.PCI0.ISA.{port}.{name}"] = f"\\_SB.PCI0.S08.{port}.{name}"
    routes = (10, 0x8B, 0x80, 5)
    my_routes = {f"\\_SB.PCI0.ISA.PRQ{'ABCD'[n]}": route for n, route in enumerate(routes)}
    their_routes = {f"\\_SB.PRQ{n}": route for n, route in enumerate(routes)}
    mine = Board(ours, tmp_path, my_routes).answers(pairs)
    other = Board(theirs, tmp_path, their_routes).answers(pairs.values())
    for path, one, two in zip(pairs, mine, other, strict=True):
        assert one == two, path
        assert any(one), path


def test_the_same_ports_are_reserved(tmp_path):
    _, ours, theirs = make_both("slots")
    mine = _ports(Board(ours, tmp_path), "\\_SB.PCI0.REGS", "\\_SB.MHPC")
    names = (f"\\_SB.PCI0.{name}" for name in ("GPE0", "PHPR", "PRES", "MHPD"))
    assert mine == _ports(Board(theirs, tmp_path), *names)


def _ports(board, *devices):
    """Return all of the devices' port ranges, in one."""
    answers = board.answers([f"{device}._CRS" for device in devices])
    return b"".join(data.removesuffix(b"\x79\x00") for _, (data,), _ in answers)


def test_the_ram_blocks_of_the_files_have_qemus_sizes():
    with Qemu("-m", "128M") as qemu:
        blocks = qemu.hmp("info ramblock")
    rows = re.findall(r"/rom@(\S+) +\d+ KiB +0x\w+ 0x(\w+) 0x(\w+)", blocks)
    assert {name: (int(used, 16), int(most, 16)) for name, used, most in rows} == {
        TABLES_FILE: (TABLES_BYTES, TABLES_MAX_BYTES),
        LOADER_FILE: (LOADER_BYTES, LOADER_MAX_BYTES),
        RSDP_FILE: (RSDP_MAX_BYTES, RSDP_MAX_BYTES),
    }


def test_interrupts_are_routed_alike(tmp_path):
    _, ours, theirs = make_both("plain")
    mine = _routes(ours, "PkgObj", "", tmp_path)
    other = _routes(theirs, "MethodObj", " ()", tmp_path)
    assert mine == other


def _routes(files, kind, call, folder):
    """Read ``_PRT``, which is data with us and code with QEMU."""
    reader = compile_asl(PRT_READER.format(kind=kind, call=call), folder)
    parts = [f"\\PRTQ {part}" for part in range(4)]
    count, *answers = Board(files, folder, reader=[reader]).answers(["\\PRTN", *parts])
    assert count[0] == [sum(len(names) for _, _, names in answers)]
    return answers


@pytest.mark.parametrize("slot", [0, 1])
@pytest.mark.parametrize("enabled", [0, 1])
def test_slots_give_the_same_answers(both_pluggable, slot, enabled, tmp_path):
    _, ours, theirs = both_pluggable
    objects = [f"\\_SB.MHPC.MP{slot:02X}.{name}" for name in ("_HID", "_STA", "_CRS", "_PXM")]
    objects += ["\\_SB.MHPC._HID", "\\_SB.MHPC._STA"]
    high, length, node = 7, 0x0123_4567_0000, 3
    my_fields = {"MADR": high << 32, "MLEN": length, "MPXM": node, "MENA": enabled}
    their_fields = {
        "MRBH": high, "MRLL": length & 0xFFFFFFFF, "MRLH": length >> 32, "MPX": node,
        "MES": enabled,
    }  # fmt: skip
    mine = Board(ours, tmp_path, _in_controller(my_fields)).answers(objects)
    assert mine == Board(theirs, tmp_path, _in_controller(their_fields)).answers(objects)


@pytest.mark.parametrize("event", ["MINS", "MRMV"])
def test_an_event_tells_the_same_devices_the_same(event, tmp_path):
    _, *sides = make_both("a node without memory")
    told = [
        Board(files, tmp_path, _in_controller({event: 1})).acpica.notifications("\\_GPE._E03")
        for files in sides
    ]
    assert told[0] == told[1] != []


def _in_controller(fields):
    return {f"\\_SB.MHPC.{name}": value for name, value in fields.items()}
