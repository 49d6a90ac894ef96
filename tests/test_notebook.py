"""docs/notebook.md: each region of the two listings is found by name, or its row says why not."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.inspect import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_mtree
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from guestmap.machine.options.device import DeviceSpec

DOCUMENT = Path(__file__).parent.parent / "docs" / "notebook.md"
_ROW = re.compile(r"^\| `(\S+)` \| (\S+) \| (\S+) \| (.*?) ?\|$", re.MULTILINE)
_LINE = re.compile(r"^ +([0-9a-f]{16})-([0-9a-f]{16}) \(prio -?\d+, .*?\): (?:alias )?(\S+)")
_MIB = 1 << 20
_VGA_WRITES = ((0x3C4, 7), (0x3C5, 1), (0x3CE, 0x0B), (0x3CF, 0))
"""What a mode of the Cirrus' own needs: memory used as by a Cirrus, one bank from 0 on."""


def _rows(heading: str) -> list[tuple[str, str, str, str]]:
    part = DOCUMENT.read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    return [found.groups() for found in _ROW.finditer(part)]  # type: ignore[misc]


TREE, FLAT = "The tree", "The flat view"


def _shown(text: str) -> set[tuple[str, str]]:
    found = (_LINE.match(line) for line in text.split("\n"))
    return {(each[3], "-".join(f"{int(each[n], 16):x}" for n in (1, 2))) for each in found if each}


def test_every_row_that_is_otherwise_says_why() -> None:
    for heading, least in ((TREE, 70), (FLAT, 20)):
        rows = _rows(heading)
        assert len(rows) >= least
        assert [name for name, theirs, ours, why in rows if theirs != ours and not why] == []


@pytest.fixture(scope="module")
def machine() -> Iterator[VirtualMachine]:
    config = MachineConfig(
        ram_size=512 * _MIB, vga="cirrus", vapic=True, smm=None, serial=True, debugcon=True,
        options={"usb": True}, devices=(DeviceSpec("virtio-balloon-pci", {}),),
    )  # fmt: skip
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        yield vm


@pytest.mark.long
@pytest.mark.seabios
@pytest.mark.unicorn
@pytest.mark.skipif(
    not Path("/usr/share/qemu/kvmvapic.bin").exists(),
    reason="needs kvmvapic.bin (qemu-system-data)",
)
def test_every_region_of_the_tree_is_found(machine: VirtualMachine) -> None:
    shown = _shown(write_mtree(Snapshot.of(machine.board.system), disabled=True))
    names = {name for name, _ in shown}
    wrong = []
    for name, _, ours, _ in _rows(TREE):
        if ours == "-":
            is_true = name not in names
        elif ours.startswith("`"):
            is_true = ours.strip("`") in names
        else:
            is_true = (name, ours) in shown
        if not is_true:
            wrong.append((name, ours, sorted(each for each in shown if each[0] == name)))
    assert wrong == []


@pytest.mark.long
@pytest.mark.seabios
@pytest.mark.unicorn
@pytest.mark.skipif(
    not Path("/usr/share/qemu/kvmvapic.bin").exists(),
    reason="needs kvmvapic.bin (qemu-system-data)",
)
def test_every_range_of_the_flat_view_is_found(machine: VirtualMachine) -> None:
    for port, value in _VGA_WRITES:
        machine.board.io.store(port, 1, value)
    shown = _shown(write_flat(Snapshot.of(machine.board.system)))
    for name, theirs, ours, _ in _rows(FLAT):
        wanted = (ours.strip("`"), theirs) if ours.startswith("`") else (name, ours)
        assert ours == "-" or wanted in shown, wanted


@pytest.mark.long
@pytest.mark.seabios
@pytest.mark.unicorn
@pytest.mark.skipif(
    not Path("/usr/share/qemu/kvmvapic.bin").exists(),
    reason="needs kvmvapic.bin (qemu-system-data)",
)
def test_the_command_shows_it() -> None:
    command = re.findall(r"^    guestmap (.*)$", DOCUMENT.read_text(), re.MULTILINE)[0]
    done = subprocess.run(
        [sys.executable, "-m", "guestmap", *command.split()],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    shown = _shown(done.stdout)
    assert ("kvmvapic-rom", "ca000-ccfff") in shown
    legacy = range(0xA0000, 0xC0000)  # text, not the notebook's graphics
    for name, _, ours, _ in _rows(FLAT):
        if ours[0] not in "-`" and int(ours.split("-")[0], 16) not in legacy:
            assert (name, ours) in shown
