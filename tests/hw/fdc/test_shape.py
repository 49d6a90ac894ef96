"""Floppy disks of every size: their sectors fill the image; what CMOS says of their drive."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import ConfigError
from guestmap.hw.fdc.shape import FloppyShape
from guestmap.hw.medium import MemoryMedium
from tests.support.qemu import Qemu

SIZES_KIB = (160, 180, 320, 360, 720, 1200, 1440, 1680, 2880)


def shape(size: int) -> FloppyShape:
    return FloppyShape.of(MemoryMedium(bytes(size)))


@pytest.mark.parametrize("kib", SIZES_KIB)
def test_its_sectors_fill_the_image(kib: int) -> None:
    found = shape(kib << 10)
    assert found.tracks * found.heads * found.sectors * 512 == kib << 10
    last = (found.tracks - 1, found.heads - 1, found.sectors)
    assert found.place((kib << 10) - 512) == last
    assert found.offset(*last) == (kib << 10) - 512


@pytest.mark.parametrize("size", [1201 << 10, (1440 << 10) + 512, 0])
def test_another_size_is_refused(size: int) -> None:
    with pytest.raises(ConfigError, match=f"no floppy disk has {size} bytes"):
        shape(size)


@pytest.mark.qemu
@pytest.mark.seabios
@pytest.mark.parametrize("kib", SIZES_KIB)
def test_the_drive_in_cmos_is_qemus(kib: int, tmp_path: Path) -> None:
    image = tmp_path / "disk"
    image.write_bytes(bytes(kib << 10))
    with Qemu("-drive", f"if=floppy,format=raw,file={image}") as qemu:
        qemu.outb(0x70, 0x10)
        assert qemu.inb(0x71) >> 4 == shape(kib << 10).drive_type
