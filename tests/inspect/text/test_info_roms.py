"""``info roms`` as QEMU prints it."""

from __future__ import annotations

import pytest

from guestmap.base import PeerError
from guestmap.inspect.text.info_roms import LoadedImage, read_info_roms

TEXT = (
    'fw=genroms/linuxboot_dma.bin size=0x000600 name="linuxboot_dma.bin"\r\n'
    'addr=00000000fffc0000 size=0x040000 mem=rom name="a "bios" of mine"\r\n'
    '/rom@etc/acpi/tables size=0x200000 name="etc/acpi/tables"\r\n'
)


def test_each_form_is_read() -> None:
    assert read_info_roms(TEXT) == (
        LoadedImage("linuxboot_dma.bin", 0x600, "fw_cfg", target="genroms/linuxboot_dma.bin"),
        LoadedImage('a "bios" of mine', 0x40000, "address", 0xFFFC_0000),
        LoadedImage("etc/acpi/tables", 0x20_0000, "region", target="/rom@etc/acpi/tables"),
    )


def test_nothing_is_loaded() -> None:
    assert read_info_roms("\r\n") == ()


def test_another_line_is_named() -> None:
    with pytest.raises(PeerError, match=r"line 2: .*found 'addr=zz'"):
        read_info_roms('fw=a size=0x1 name="b"\naddr=zz')
