"""A PC with a display adapter: firmware runs the adapter's BIOS, and people see what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.firmware.option_roms import load_rom
from guestmap.hw.vga.screen import ScreenPicture
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Pc, Phase, VirtualMachine, saved
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.seabios]


@pytest.mark.unicorn
@pytest.mark.qemu
@pytest.mark.qemu_7_2("its VGA")
@pytest.mark.parametrize("adapter", ["std", "cirrus"])
def test_after_the_firmware_ran_screen_and_map_are_qemus(tmp_path: Path, adapter: str) -> None:
    with VirtualMachine(MachineConfig(vga=adapter, debugcon=True)) as vm:
        vm.run(until=Phase.HALT)
        assert isinstance(vm.board, Pc)
        assert vm.board.vga is not None
        ours, bare = vm.board.picture(), vm.board.vga.picture(cursor=False)
        snapshot = Snapshot.of(vm.board.system)
        again = tmp_path / "machine"
        saved.save(vm, again)
    file = tmp_path / "screen.ppm"
    console = ("-chardev", "null,id=d", "-device", "isa-debugcon,iobase=0x402,chardev=d")
    with Qemu("-vga", adapter, *console, stopped=False) as qemu:
        while (shown := _dump(qemu, file)) not in (ours, bare):
            pass  # pytest's timeout ends a wait in vain
        qemu.qmp("stop")
        assert shown.width == 720
        assert blocks(write_mtree(snapshot)) == blocks(qemu.hmp("info mtree"))
        assert blocks(write_flat(snapshot)) == blocks(qemu.hmp("info mtree -f"))
    with saved.restore(again) as vm:
        assert vm.board.picture() == ours
        assert write_mtree(Snapshot.of(vm.board.system)) == write_mtree(snapshot)


def _dump(qemu: Qemu, file: Path) -> ScreenPicture:
    qemu.qmp("screendump", filename=str(file))
    _, size, _, dots = file.read_bytes().split(b"\n", 3)
    width, height = map(int, size.split())
    return ScreenPicture(width, height, dots)


def test_a_machine_without_an_adapter_has_no_screen() -> None:
    assert Pc(MachineConfig()).picture() is None


def test_an_adapter_that_is_not_modelled_is_refused() -> None:
    with pytest.raises(UnsupportedError, match=r"^-vga qxl is not .* none, std, cirrus$"):
        MachineConfig(vga="qxl")


def test_a_rom_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'^failed to find romfile "no-such-vgabios.bin"'):
        load_rom("no-such-vgabios.bin", tmp_path / "bios.bin")
