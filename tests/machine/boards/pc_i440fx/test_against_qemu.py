"""Our PC beside a real QEMU's: the same map at reset, the same map and log after SeaBIOS ran."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Pc, Phase, VirtualMachine, parse_ram_size
from tests.support.mtree_text import blocks
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.qemu_7_2("its map"), pytest.mark.qemu, pytest.mark.seabios]

SIZES = ("1M", "96M", "128M", "2G", "3583M", "3584M", "4G", "8G")
BOOTABLE = SIZES[1:]
LAST_LINE = "No bootable device."


def _forms(snapshot: Snapshot) -> dict[str, str]:
    return {
        "info mtree": write_mtree(snapshot),
        "info mtree -D": write_mtree(snapshot, disabled=True),
        "info mtree -f": write_flat(snapshot),
    }


def _assert_same_map(snapshot: Snapshot, qemu: Qemu) -> None:
    for command, ours in _forms(snapshot).items():
        assert blocks(ours) == blocks(qemu.hmp(command)), command


@pytest.mark.parametrize("ram", SIZES)
def test_the_map_at_reset_is_qemus(ram):
    pc = Pc(MachineConfig(ram_size=parse_ram_size(ram)))
    with Qemu("-m", ram) as qemu:
        _assert_same_map(Snapshot.of(pc.system), qemu)


def test_the_split_of_ram_can_be_moved_as_in_qemu():
    pc = Pc(MachineConfig(ram_size=4 << 30, max_ram_below_4g=2 << 30))
    with Qemu("-m", "4G", "-machine", "max-ram-below-4g=2G") as qemu:
        _assert_same_map(Snapshot.of(pc.system), qemu)


@pytest.mark.unicorn
@pytest.mark.parametrize("ram", BOOTABLE)
def test_the_map_after_the_firmware_ran_is_qemus(ram, tmp_path):
    config = MachineConfig(ram_size=parse_ram_size(ram), debugcon=True)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        snapshot = Snapshot.of(vm.board.system)
        ours = [line.text for line in vm.log]
    log = tmp_path / "seabios.log"
    with Qemu(
        "-m", ram, "-chardev", f"file,id=d,path={log}",
        "-device", "isa-debugcon,iobase=0x402,chardev=d", stopped=False,
    ) as qemu:  # fmt: skip
        _wait_for(log, LAST_LINE)
        qemu.qmp("stop")
        _assert_same_map(snapshot, qemu)
    assert _comparable(ours) == _comparable(log.read_text("latin-1").splitlines())


def _wait_for(log: Path, line: str) -> None:
    """Follow a growing file until it has ``line``; pytest's timeout ends a wait in vain."""
    while not log.exists() or line not in log.read_text("latin-1"):
        pass


HYPERVISOR = re.compile(r"cpuid 0x4000[0-9a-f]{4}: ")
_TABLE_PLACES = re.compile(r"(table\(\d+\)=|parse DSDT at )0x[0-9a-f]+( \(len \d+\))?")


def _comparable(lines: list[str]) -> list[str]:
    """Leave out how long our DSDT is, where the tables behind it therefore are, and the hypervisor.

    Our CPU names none; SeaBIOS from 1.16.3 on logs the leaf of the one that it finds.
    """
    return [_TABLE_PLACES.sub(r"\1...", line) for line in lines if not HYPERVISOR.match(line)]
