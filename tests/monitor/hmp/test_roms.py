"""``info roms`` of a machine with an option ROM."""

from __future__ import annotations

from pathlib import Path

from guestmap.base import ManualClock
from guestmap.inspect.text.info_roms import LoadedImage, read_info_roms
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor.hmp import HumanMonitor


def test_an_option_rom_is_told_of(tmp_path: Path) -> None:
    rom = tmp_path / "mine.rom"
    rom.write_bytes(b"\x55\xaa\x01" + bytes(509))
    config = MachineConfig(option_roms=(rom,))
    with VirtualMachine(config, clock=ManualClock(), engine="none") as vm:
        images = read_info_roms(HumanMonitor(vm).execute("info roms"))
    assert LoadedImage("mine.rom", 512, "fw_cfg", target="genroms/mine.rom") in images
