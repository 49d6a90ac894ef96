"""What a machine can and cannot be."""

from __future__ import annotations

import struct

import pytest

from guestmap.base import GIB, MIB, ConfigError
from guestmap.firmware import FirmwareConfig, cmos_bytes, e820_file


def test_ram_ranges() -> None:
    config = FirmwareConfig(below_4g=3 * GIB, above_4g=GIB)
    assert config.ram_size == 4 * GIB
    assert config.ram_ranges == ((0, 3 * GIB), (4 * GIB, GIB))
    assert FirmwareConfig(below_4g=MIB).ram_ranges == ((0, MIB),)


def test_ram_beyond_the_hypertransport_range() -> None:
    config = FirmwareConfig(below_4g=3 * GIB, above_4g=1021 * GIB, above_4g_start=1 << 40)
    entries = [*struct.iter_unpack("<QQI", e820_file(config))]
    assert entries == [
        (0xFD00000000, 0x300000000, 2),
        (0, 3 * GIB, 1),
        (1 << 40, 1021 * GIB, 1),
    ]


def test_without_the_hypertransport_range() -> None:
    config = FirmwareConfig(below_4g=MIB, reserve_hypertransport=False)
    assert [*struct.iter_unpack("<QQI", e820_file(config))] == [(0, MIB, 1)]


@pytest.mark.parametrize(
    ("topology", "expected"),
    [
        ({"cpus": 1}, (0,)),
        ({"cpus": 4}, (0, 1, 2, 3)),
        ({"cpus": 6, "sockets": 2}, (0, 1, 2, 4, 5, 6)),
        ({"cpus": 12, "sockets": 2, "threads": 2}, (0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13)),
        ({"cpus": 2, "sockets": 2}, (0, 1)),
    ],
)
def test_apic_ids(topology: dict[str, int], expected: tuple[int, ...]) -> None:
    config = FirmwareConfig(below_4g=MIB, **topology)
    assert config.apic_ids == expected
    assert config.apic_id_limit == expected[-1] + 1


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"below_4g": 0}, "bytes of RAM"),
        ({"above_4g": -1}, "bytes of RAM"),
        ({"cpus": 0}, "CPUs"),
        ({"cpus": 4, "max_cpus": 2}, "CPUs"),
        ({"cpus": 5, "sockets": 2}, "sockets"),
        ({"cpus": 2, "threads": 0}, "threads"),
        ({"cpus": 256}, "APIC IDs"),
        ({"boot_order": "x"}, "boot order 'x'"),
        ({"boot_order": "acdn"}, "boot order 'acdn'"),
    ],
)
def test_impossible_machines(wrong: dict[str, int], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        FirmwareConfig(**{"below_4g": MIB, **wrong})


def test_a_terabyte_fits_cmos() -> None:
    preset = cmos_bytes(FirmwareConfig(below_4g=3 * GIB, above_4g=1021 * GIB))
    assert all(0 <= value <= 0xFF for value in preset.values())
    assert [preset[index] for index in (0x5B, 0x5C, 0x5D)] == [0x00, 0x40, 0xFF]
