"""QEMU's default PC: its devices and its option ROMs, and the map that firmware makes with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Phase, VirtualMachine, saved
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

pytestmark = [
    pytest.mark.seabios,
    pytest.mark.unicorn,
    pytest.mark.qemu,
    pytest.mark.qemu_7_2("it"),
]

_VAPIC = Path("/usr/share/qemu/kvmvapic.bin")
_SMM = ("-M", "pc-i440fx-7.2", "-nodefaults", "-m", "128M")
_CASES: dict[str, tuple[dict[str, Any], tuple[str, ...]]] = {
    "the option ROM alone": ({}, ("-vga", "none")),
    "Cirrus": ({"vga": "cirrus"}, ("-vga", "cirrus")),
}


def _shown(vm: VirtualMachine) -> tuple[str, str]:
    snapshot = Snapshot.of(vm.board.system)
    return write_mtree(snapshot), write_flat(snapshot)


@pytest.mark.skipif(not _VAPIC.exists(), reason="needs kvmvapic.bin (qemu-system-data)")
@pytest.mark.parametrize("case", _CASES)
def test_the_map_after_the_firmware_is_qemus(case: str, tmp_path: Path) -> None:
    more, words = _CASES[case]
    config = MachineConfig(ram_size=128 << 20, vapic=True, smm=None, debugcon=True, **more)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        tree, flat = _shown(vm)
        saved.save(vm, tmp_path / "machine")
    assert "(prio 1000, ram): alias kvmvapic-rom @pc.ram" in tree
    log = ("-chardev", "stdio,id=d", "-device", "isa-debugcon,iobase=0x402,chardev=d")
    with Qemu(*_SMM, *words, *log, machine=False, vapic=True, stopped=False) as qemu:
        while blocks(qemu.hmp("info mtree -f")) != blocks(flat):
            pass  # pytest's timeout ends a wait in vain
        assert blocks(tree) == blocks(qemu.hmp("info mtree"))
    with saved.restore(tmp_path / "machine") as vm:
        assert _shown(vm) == (tree, flat)
