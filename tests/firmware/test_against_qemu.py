"""What firmware is told, byte for byte what QEMU tells it."""

from __future__ import annotations

import struct
from uuid import UUID

import pytest

from guestmap.base import GIB, KIB, MIB
from guestmap.firmware import FirmwareConfig, cmos_bytes, fw_cfg_items
from guestmap.hw.fw_cfg import FwCfg
from tests.support.qemu import Qemu

pytestmark = [
    pytest.mark.qemu,
    pytest.mark.qemu_7_2("what it gives its firmware in fw_cfg and CMOS"),
]

ACPI_FILES = {"etc/acpi/rsdp", "etc/acpi/tables", "etc/table-loader"}
RTC_REGISTERS = {*range(0x0E), 0x32, 0x37}

UUID_TEXT = "12345678-9abc-def0-1122-334455667788"
LOW = 3 * GIB

CASES = {
    "1M": FirmwareConfig(below_4g=MIB),
    "1032K": FirmwareConfig(below_4g=1032 * KIB),
    "15M": FirmwareConfig(below_4g=15 * MIB),
    "17M": FirmwareConfig(below_4g=17 * MIB),
    "65M": FirmwareConfig(below_4g=65 * MIB),
    "96M": FirmwareConfig(below_4g=96 * MIB),
    "128M": FirmwareConfig(below_4g=128 * MIB),
    "3583M": FirmwareConfig(below_4g=3583 * MIB),
    "3584M": FirmwareConfig(below_4g=LOW, above_4g=512 * MIB),
    "4G -smp 4": FirmwareConfig(below_4g=LOW, above_4g=GIB, cpus=4),
    f"8G -smp 2,maxcpus=6 -uuid {UUID_TEXT}": FirmwareConfig(
        below_4g=LOW, above_4g=5 * GIB, cpus=2, max_cpus=6, uuid=UUID(UUID_TEXT)
    ),
    "40G -smp 5,sockets=2,cores=3,threads=2,maxcpus=12": FirmwareConfig(
        below_4g=LOW, above_4g=37 * GIB, cpus=5, max_cpus=12, sockets=2, threads=2
    ),
    "1000G": FirmwareConfig(below_4g=LOW, above_4g=997 * GIB),
    "128M -boot order=nda,menu=on,splash-time=500,reboot-timeout=100": FirmwareConfig(
        below_4g=128 * MIB,
        boot_order="nda",
        boot_menu=True,
        boot_menu_wait_ms=500,
        boot_fail_wait_ms=100,
    ),
}


@pytest.fixture(scope="module", params=CASES, ids=lambda name: name.replace(" ", "_"))
def case(request):
    """One machine: its configuration, and QEMU's."""
    size, *more = request.param.split()
    # Reserve no host memory: the largest machines have more than the host.
    backend = f"memory-backend-ram,id=ram,size={size},reserve=off"
    options = ["-m", size, "-object", backend, "-machine", "memory-backend=ram", *more]
    with Qemu(*options) as qemu:
        yield CASES[request.param], qemu


def read_item(qemu: Qemu, key: int, length: int) -> bytes:
    qemu.outw(0x510, key)
    return bytes(int(reply, 16) for reply in qemu.qtest_many(["inb 0x511"] * length))


def read_directory(qemu: Qemu) -> dict[str, tuple[int, int]]:
    (count,) = struct.unpack(">I", read_item(qemu, 0x19, 4))
    raw = read_item(qemu, 0x19, 4 + 64 * count)[4:]
    entries = struct.iter_unpack(">IHH56s", raw)
    return {name.rstrip(b"\0").decode(): (size, key) for size, key, _, name in entries}


def test_files(case) -> None:
    config, qemu = case
    directory = read_directory(qemu)
    ours = fw_cfg_items(config).files
    assert set(directory) - ACPI_FILES == set(ours)
    for name, data in ours.items():
        size, key = directory[name]
        assert read_item(qemu, key, size) == data, name


def test_numbered_items(case) -> None:
    config, qemu = case
    ours = fw_cfg_items(config).numbered
    for key in (*range(0x19), *range(0x8000, 0x8010)):
        expected = ours.get(key, b"")
        theirs = read_item(qemu, key, len(expected) + 16)
        assert theirs == expected + bytes(16), f"item {key:#x}"


def test_file_keys_follow_from_the_names(case) -> None:
    config, qemu = case
    directory = read_directory(qemu)
    device = FwCfg()
    stand_ins = dict.fromkeys(ACPI_FILES, b"")
    for name, data in reversed(fw_cfg_items(config, stand_ins).files.items()):
        device.add_file(name, data)
    assert device.files == {name: key for name, (_, key) in directory.items()}


def test_cmos(case) -> None:
    config, qemu = case
    commands = [line for i in range(128) for line in (f"outb 0x70 {i}", "inb 0x71")]
    theirs = [int(reply, 16) for reply in qemu.qtest_many(commands)[1::2]]
    ours = cmos_bytes(config)
    for index in set(range(128)) - RTC_REGISTERS:
        assert theirs[index] == ours.get(index, 0), f"CMOS {index:#x}"
