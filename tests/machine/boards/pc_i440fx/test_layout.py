"""Where RAM is and what may be plugged in behind it, for sizes round every limit.

The rules are QEMU 7.2's (``pc_init1``, ``pc_memory_init`` and ``pc_pci_hole64_start``); the numbers
were read off ``info mtree -f`` of that version for the sizes that a host of a few GiB can start.
"""

from __future__ import annotations

import pytest

from guestmap.base import GIB, MIB, ConfigError
from guestmap.machine import MachineConfig
from guestmap.machine.boards.pc_i440fx.layout import DeviceMemoryLayout, RamLayout

HALF = GIB // 2


@pytest.mark.parametrize(
    ("size", "below", "above"),
    [
        (MIB, MIB, 0), (128 * MIB, 128 * MIB, 0), (3 * GIB, 3 * GIB, 0),
        (3 * GIB + HALF - MIB, 3 * GIB + HALF - MIB, 0),  # 3.5 GiB leave devices 512 MiB
        (3 * GIB + HALF, 3 * GIB, HALF), (3 * GIB + HALF + MIB, 3 * GIB, HALF + MIB),
        (4 * GIB, 3 * GIB, GIB), (64 * GIB, 3 * GIB, 61 * GIB),
    ],
)  # fmt: skip
def test_ram_is_split_below_4_gib(size: int, below: int, above: int) -> None:
    layout = RamLayout.of(MachineConfig(ram_size=size))
    assert layout == (below, above, 4 * GIB)
    assert layout.end == 4 * GIB + above


@pytest.mark.parametrize(
    ("limit", "size", "below"),
    [
        (2 * GIB, 2 * GIB, 2 * GIB), (2 * GIB, 2 * GIB + MIB, 2 * GIB),
        (2 * GIB, 2 * GIB - MIB, 2 * GIB - MIB),
        (4 * GIB, 4 * GIB - MIB, 4 * GIB - MIB), (4 * GIB, 4 * GIB, 3 * GIB),
        (3 * GIB, 3 * GIB, 3 * GIB),
    ],
)  # fmt: skip
def test_a_limit_of_ones_own(limit: int, size: int, below: int) -> None:
    layout = RamLayout.of(MachineConfig(ram_size=size, max_ram_below_4g=limit))
    assert (layout.below, layout.above) == (below, size - below)


@pytest.mark.parametrize(
    ("size", "slots", "most", "start", "bytes_"),
    [
        (128 * MIB, 2, 2 * GIB, 4 * GIB, 2 * GIB - 128 * MIB + 2 * GIB),
        (128 * MIB, 0, 2 * GIB, 4 * GIB, 2 * GIB - 128 * MIB),
        (4 * GIB, 1, 8 * GIB, 5 * GIB, 5 * GIB),
        (4 * GIB + MIB, 1, 8 * GIB, 6 * GIB, 5 * GIB - MIB),  # at a multiple of 1 GiB
        (3 * GIB + HALF, 3, 4 * GIB, 5 * GIB, HALF + 3 * GIB),
    ],
)  # fmt: skip
def test_device_memory_is_behind_all_ram(
    size: int, slots: int, most: int, start: int, bytes_: int
) -> None:
    layout = DeviceMemoryLayout.of(MachineConfig(ram_size=size, slots=slots, max_ram=most))
    assert layout == (start, bytes_, slots)
    assert layout.end == start + bytes_


def test_a_machine_that_takes_no_more_has_none() -> None:
    assert DeviceMemoryLayout.of(MachineConfig(ram_size=GIB)) is None
    assert DeviceMemoryLayout.of(MachineConfig(ram_size=GIB, max_ram=GIB)) is None


@pytest.mark.parametrize(
    ("options", "limit"),
    [
        # 2 GiB above all are for PCI devices; nothing may be at 1012 GiB to 1 TiB, where AMD's CPUs
        # route to HyperTransport; and the CPU model has 40 bits of address.
        ({"ram_size": 1009 * GIB}, None),
        ({"ram_size": 1009 * GIB + MIB}, 0x1FC3FFFFFFF),
        ({"ram_size": GIB, "slots": 1, "max_ram": 900 * GIB}, None),
        ({"ram_size": GIB, "slots": 1, "max_ram": 1006 * GIB}, None),
        ({"ram_size": GIB, "slots": 1, "max_ram": 1007 * GIB}, 0x1FC3FFFFFFF),
        ({"ram_size": GIB, "slots": 1, "max_ram": 1009 * GIB}, 0x1FCBFFFFFFF),
    ],
)
def test_all_must_be_below_hypertransport(options: dict[str, int], limit: int | None) -> None:
    config = MachineConfig(**options)  # type: ignore[arg-type]
    if limit is None:
        assert RamLayout.of(config).above_start == 4 * GIB
    else:
        with pytest.raises(ConfigError, match=rf"Address space limit 0xffffffffff < {limit:#x} "):
            RamLayout.of(config)
