"""QEMU's default PC: its devices and its option ROMs, and the map that firmware makes with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guestmap.base import ConfigError
from guestmap.firmware import find_bios
from guestmap.firmware.cmos import DISK_TYPES, EQUIPMENT, FLOPPY_TYPES
from guestmap.firmware.option_roms import load_rom
from guestmap.hw.e1000.device import E1000
from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Phase, VirtualMachine, config_of, saved
from guestmap.machine.options.device import DeviceSpec
from guestmap.monitor.hmp import HumanMonitor
from tests.support.mtree_text import blocks
from tests.support.needs import skip_without
from tests.support.qemu import Qemu

pytestmark = [
    pytest.mark.seabios,
    pytest.mark.unicorn,
    pytest.mark.qemu,
    pytest.mark.qemu_7_2("it"),
]

_VAPIC = Path("/usr/share/qemu/kvmvapic.bin")
_MACHINE = ("-M", "pc-i440fx-7.2", "-m", "128M")
_SMM = (*_MACHINE, "-nodefaults")
_BALLOON = DeviceSpec("virtio-balloon-pci", {})
_CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "the option ROM alone": ({}, ("-vga", "none")),
    "Cirrus": ({"vga": "cirrus"}, ("-vga", "cirrus")),
    "the notebook's": (
        {"vga": "cirrus", "options": {"usb": True}, "devices": (_BALLOON,)},
        ("-vga", "cirrus", "-machine", "usb=on", "-device", _BALLOON.driver),
    ),
}
_LOG = ("-chardev", "stdio,id=d", "-device", "isa-debugcon,iobase=0x402,chardev=d")


def _shown(vm: VirtualMachine) -> tuple[str, str]:
    snapshot = Snapshot.of(vm.board.system)
    return write_mtree(snapshot), write_flat(snapshot)


@pytest.mark.skipif(not _VAPIC.exists(), reason="needs kvmvapic.bin (qemu-system-data)")
@pytest.mark.parametrize("case", [
    "the option ROM alone", "Cirrus", pytest.param("the notebook's", marks=pytest.mark.long),
])  # fmt: skip
def test_the_map_after_the_firmware_is_qemus(case: str, tmp_path: Path) -> None:
    more, words = _CASES[case]
    config = MachineConfig(ram_size=128 << 20, vapic=True, smm=None, debugcon=True, **more)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        tree, flat = _shown(vm)
        saved.save(vm, tmp_path / "machine")
    assert "(prio 1000, ram): alias kvmvapic-rom @pc.ram" in tree
    with Qemu(*_SMM, *words, *_LOG, machine=False, vapic=True, stopped=False) as qemu:
        while blocks(qemu.hmp("info mtree -f")) != blocks(flat):
            pass  # pytest's timeout ends a wait in vain
        assert blocks(tree) == blocks(qemu.hmp("info mtree"))
    with saved.restore(tmp_path / "machine") as vm:
        assert _shown(vm) == (tree, flat)


@pytest.mark.skipif(not _VAPIC.exists(), reason="needs kvmvapic.bin (qemu-system-data)")
@pytest.mark.slow
@pytest.mark.parametrize("words", [
    ("-vga", "cirrus"), pytest.param((), marks=pytest.mark.long),
    pytest.param(("-vga", "none"), marks=pytest.mark.long),
])  # fmt: skip
def test_with_the_default_devices_it_is_qemus_default_pc(words: tuple[str, ...]) -> None:
    """Behind POST the network card's own ROM runs, as long as no network answers."""
    config = _with_roms(words)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.BOOT)
        tree, flat = _shown(vm)
    with Qemu(*_MACHINE, *words, *_LOG, machine=False, vapic=True, stopped=False) as qemu:
        while blocks(qemu.hmp("info mtree -f")) != blocks(flat):
            pass  # pytest's timeout ends a wait in vain
        assert blocks(tree) == blocks(qemu.hmp("info mtree"))


def _with_roms(words: Sequence[str]) -> MachineConfig:
    config = replace(config_of([*_MACHINE, *words]), debugcon=True)
    try:
        load_rom(E1000.ROM_FILE, find_bios(None))
    except ConfigError as error:
        skip_without("qemu", str(error))
    return config


@pytest.mark.skipif(not _VAPIC.exists(), reason="needs kvmvapic.bin (qemu-system-data)")
@pytest.mark.parametrize(
    "kib", [(), (1440,), (0, 720), (360, 2880)], ids=lambda kib: "+".join(map(str, kib)) or "empty"
)
def test_the_default_devices_are_qemus(kib: tuple[int, ...], tmp_path: Path) -> None:
    """Type by type and setting by setting; the floppy drives are made for what lies in them."""
    words = [
        word for place, size in enumerate(kib) if size for word in _floppy(tmp_path, place, size)
    ]
    with (
        VirtualMachine(replace(_with_roms(words), debugcon=False), engine="none") as vm,
        Qemu(*_MACHINE, *words, machine=False, vapic=True) as qemu,
    ):
        assert HumanMonitor(vm).execute("info qtree").splitlines() == (
            qemu.hmp("info qtree").splitlines()
        )
        io = vm.board.io
        assert [_told(qemu.outb, qemu.inb, index) for index in _CMOS] == [
            _told(lambda port, value: io.store(port, 1, value), lambda port: io.load(port, 1), each)
            for each in _CMOS
        ]


def _floppy(folder: Path, place: int, kib: int) -> tuple[str, str]:
    image = folder / f"{place}.img"
    image.write_bytes(bytes(kib << 10))
    return "-drive", f"file={image},format=raw,if=floppy,readonly=on,index={place}"


_CMOS = (FLOPPY_TYPES, DISK_TYPES, EQUIPMENT)


def _told(outb: Callable[[int, int], object], inb: Callable[[int], int], index: int) -> int:
    outb(0x70, index)
    return inb(0x71)
