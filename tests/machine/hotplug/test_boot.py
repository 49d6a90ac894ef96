"""SeaBIOS on a machine that memory may be plugged into, here and on a real QEMU."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Phase, VirtualMachine, config_of
from tests.machine.boards.pc_i440fx.test_against_qemu import HYPERVISOR
from tests.support.mtree_text import blocks
from tests.support.qemu import MACHINE, Qemu

pytestmark = [pytest.mark.qemu_7_2("its map"), pytest.mark.unicorn, pytest.mark.seabios]

BACKEND = "-object memory-backend-ram,id="
NODES = "-numa node,memdev=a -numa node,memdev=b"
LINES = (
    "-m 128M,slots=4,maxmem=2G",
    "-m 4G,slots=2,maxmem=6G",
    "-m 128M -machine smm=on",
    "-m 128M,maxmem=1G",
    "-m 128M,slots=4,maxmem=2G -no-acpi",
    "-m 128M,slots=4,maxmem=2G -global PIIX4_PM.memory-hotplug-support=off",
    f"-m 128M,slots=2,maxmem=1G {BACKEND}a,size=96M {BACKEND}b,size=32M {NODES}",
    f"{BACKEND}a,size=128M -machine memory-backend=a",
    f"-m 128M,slots=2,maxmem=1G {BACKEND}a,size=64M -device pc-dimm,id=d0,memdev=a",
)
LAST_LINE = "No bootable device."
WORDS = b"the option ROM runs\n"


def ours(words: list[str]) -> tuple[list[str], dict[str, str]]:
    """Boot our machine; return the firmware's log, and QEMU's commands with our answers."""
    config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *words])
    config = replace(config, debugcon=True)
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        return [line.text for line in vm.log], _forms(Snapshot.of(vm.board.system))


def _forms(snapshot: Snapshot) -> dict[str, str]:
    return {
        "info mtree": write_mtree(snapshot),
        "info mtree -D": write_mtree(snapshot, disabled=True),
        "info mtree -f": write_flat(snapshot),
    }


class Booted:
    """A QEMU that boots with its firmware's log in a file."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.log = folder / "seabios.log"
        self.qemu = Qemu(
            *words, "-chardev", f"file,id=d,path={self.log}",
            "-device", "isa-debugcon,iobase=0x402,chardev=d", stopped=False,
        )  # fmt: skip

    def lines(self) -> list[str]:
        """Wait for the end of POST; pytest's timeout ends a wait in vain."""
        while not self.log.exists() or LAST_LINE not in self.log.read_text("latin-1"):
            self.qemu.qmp("query-status")
        self.qemu.qmp("stop")
        return self.log.read_text("latin-1").splitlines()


_PLACES = re.compile(r"(CPU Mhz=)\d+|(table\(\d+\)=|parse DSDT at )0x[0-9a-f]+( \(len \d+\))?")


def _comparable(lines: list[str]) -> list[str]:
    """Leave out how long our DSDT is, where tables therefore are, and how fast the host is."""
    return [_PLACES.sub(r"\1\2...", line) for line in lines if not HYPERVISOR.match(line)]


@pytest.mark.qemu
@pytest.mark.parametrize("line", LINES)
def test_the_firmware_leaves_qemus_map(line: str, tmp_path: Path) -> None:
    words = shlex.split(line)
    log, forms = ours(words)
    theirs = Booted(words, tmp_path)
    with theirs.qemu as qemu:
        lines = theirs.lines()
        for command, text in forms.items():
            assert blocks(text) == blocks(qemu.hmp(command)), command
    assert _comparable(log) == _comparable(lines)


def option_rom(text: bytes) -> bytes:
    """Return a ROM that writes a text to port 402h when firmware starts it."""
    code = bytes.fromhex(
        "60"  # pusha
        "0e 1f"  # push cs; pop ds
        "be 1400"  # mov si, text
        "b9 " + len(text).to_bytes(2, "little").hex() +  # mov cx, len
        "ba 0204"  # mov dx, 402h
        "f3 6e"  # rep outsb
        "61"  # popa
        "cb"  # retf
    )  # fmt: skip
    rom = (b"\x55\xaa\x01" + code).ljust(0x14, b"\x90") + text
    rom = rom.ljust(511, b"\0")
    return rom + bytes([-sum(rom) & 0xFF])


def test_the_firmware_runs_an_option_rom(tmp_path: Path) -> None:
    path = tmp_path / "tiny.rom"
    path.write_bytes(option_rom(WORDS))
    with VirtualMachine(MachineConfig(debugcon=True, option_roms=(path,))) as vm:
        vm.run(until=Phase.HALT)
        lines = [line.text for line in vm.log]
    assert WORDS.decode().strip() in lines


@pytest.mark.qemu
def test_the_map_with_an_option_rom_is_qemus(tmp_path: Path) -> None:
    path = tmp_path / "tiny.rom"
    path.write_bytes(option_rom(WORDS))
    words = ["-m", "128M", "-option-rom", str(path)]
    log, forms = ours(words)
    theirs = Booted(words, tmp_path)
    with theirs.qemu as qemu:
        lines = theirs.lines()
        assert blocks(forms["info mtree -f"]) == blocks(qemu.hmp("info mtree -f"))
    assert _comparable(log) == _comparable(lines)


def test_the_firmware_boots_without_acpi() -> None:
    with VirtualMachine(MachineConfig(debugcon=True, acpi=False)) as vm:
        vm.run(until=Phase.HALT)
        lines = [line.text for line in vm.log]
    assert any(LAST_LINE in line for line in lines)
