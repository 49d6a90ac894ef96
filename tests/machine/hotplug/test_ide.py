"""Drives that devices of the command line name, beside QEMU's."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from guestmap.base import ConfigError, GuestmapError, UnsupportedError
from guestmap.machine import Board, Pc, VirtualMachine, config_of, saved
from guestmap.machine.options.blockdev import read_blockdevs
from guestmap.machine.options.drive import DriveSpec
from guestmap.monitor.hmp import HumanMonitor
from tests.guests.disk import disk
from tests.machine.tree.test_composition_qemu import assert_same_tree
from tests.support.qemu import MACHINE, Qemu

pytestmark = pytest.mark.seabios

NAMED = "-drive", "file={disk},if=none,id=a,format=raw,snapshot=on", "-drive", (
    "file={disc},if=none,id=b,format=raw,readonly=on,media=cdrom"
)  # fmt: skip


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    files = {"disk": tmp_path / "disk", "disc": tmp_path / "disc"}
    files["disk"].write_bytes(disk("boot"))
    files["disc"].write_bytes(bytes(20 << 11))
    return [word.format(**files) for word in NAMED]


def _machine(words: list[str]) -> Pc:
    return Pc(config_of([*MACHINE, "-global", "apic-common.vapic=off", *words]))


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its object tree")
@pytest.mark.parametrize("devices", [
    ("ide-hd,drive=a,id=d0,bus=ide.0,unit=1,bootindex=2", "ide-cd,drive=b,bus=ide.1,bootindex=1"),
    ("ide-hd,drive=a,serial=12345", "ide-cd,id=empty"),
    ("ide-hd,drive=a,bootindex=7", "ide-cd,drive=b,bootindex=0"),
    ("ide-cd,bootindex=-1", "ide-hd,drive=a,bus=ide.0,bootindex=-3"),
    ("VGA,id=video0,addr=0x2,vgamem_mb=16", '{"driver":"ide-hd","drive":"a","write-cache":"on"}'),
])  # fmt: skip
def test_the_machine_is_qemus(words: list[str], devices: tuple[str, ...]) -> None:
    words += [word for device in devices for word in ("-device", device)]
    config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *words])
    with VirtualMachine(config, engine="none") as vm, Qemu(*words) as qemu:
        pc = vm.board
        assert_same_tree(pc.tree, qemu)
        assert HumanMonitor(vm).execute("info qtree").splitlines() == (
            qemu.hmp("info qtree").splitlines()
        )
        for port, register in ((0x1F0, 0xEC), (0x170, 0xA1)):
            for bench in (qemu, pc.io):
                _ask(bench, port, register)
            assert [qemu.inw(port) for _ in range(60)] == [pc.io.load(port, 2) for _ in range(60)]
        assert _boot_order(qemu) == _boot_order(pc)


def _ask(bench: object, port: int, command: int) -> None:
    if isinstance(bench, Qemu):
        bench.outb(port + 7, command)
    else:
        bench.store(port + 7, 1, command)  # type: ignore[attr-defined]


def _boot_order(machine: Qemu | Board) -> bytes:
    """Read the file out of fw_cfg, as a guest does."""

    def read(key: int, length: int) -> bytes:
        if isinstance(machine, Qemu):
            machine.outw(0x510, key)
            return bytes(machine.inb(0x511) for _ in range(length))
        machine.io.store(0x510, 2, key)
        return bytes(machine.io.load(0x511, 1) for _ in range(length))

    count = int.from_bytes(read(0x19, 4), "big")
    directory = read(0x19, 4 + 64 * count)
    for at in range(4, len(directory), 64):
        if directory[at + 8 :].startswith(b"bootorder\0"):
            key = int.from_bytes(directory[at + 4 : at + 6], "big")
            return read(key, int.from_bytes(directory[at : at + 4], "big"))
    raise AssertionError("no boot order")


@pytest.mark.parametrize(("device", "error", "said"), [
    ("ide-hd", ConfigError, "No drive specified"),
    ("ide-hd,drive=zz", ConfigError, "Property 'ide-hd.drive' can't find value 'zz'"),
    ("ide-hd,drive=a,unit=2", ConfigError, "Can't create IDE unit 2, bus supports only 2 units"),
    ("ide-hd,drive=a,bus=ide.5", ConfigError, "Bus 'ide.5' not found"),
    ("ide-hd,drive=a,bus=pci.0", ConfigError, "Device 'ide-hd' can't go on PCI bus"),
    ("ide-hd,drive=a,bootindex=x", ConfigError, "Parameter 'bootindex' expects integer"),
    ("ide-hd,drive=a,cyls=5", UnsupportedError, "device ide-hd: property cyls is not modelled"),
    ("VGA,vgamem_mb=32", UnsupportedError, "device VGA: property vgamem_mb is not modelled"),
])  # fmt: skip
def test_what_cannot_be_is_refused(
    words: list[str], device: str, error: type[GuestmapError], said: str
) -> None:
    with pytest.raises(error, match=f"^-device {device}: {said}"):
        _machine([*words, "-device", device])


def test_a_drive_and_a_place_are_taken_once(words: list[str]) -> None:
    with pytest.raises(ConfigError, match=r"Drive 'a' is already in use by another device$"):
        _machine([*words, "-device", "ide-hd,drive=a", "-device", "ide-hd,drive=a"])
    with pytest.raises(ConfigError, match=r"IDE unit 1 is in use$"):
        _machine([*words, *["-device", "ide-cd"] * 3])
    with pytest.raises(ConfigError, match=r"The bootindex 2 has already been used$"):
        _machine([*words, *["-device", "ide-cd,bootindex=2"] * 2])


def test_a_saved_machine_has_its_drives_again(words: list[str], tmp_path: Path) -> None:
    words += ["-device", "ide-hd,drive=a,id=d0", "-device", "VGA"]
    config = config_of([*MACHINE, *words])
    with VirtualMachine(config, engine="none") as vm:
        vm.board.media[0].write(5 * 512, b"kept")
        saved.save(vm, tmp_path / "machine")
    with saved.restore(tmp_path / "machine") as vm:
        assert vm.board.media[0].read(5 * 512, 4) == b"kept"
        assert vm.board.tree.resolve("/machine/peripheral/d0").type.name == "ide-hd"
        assert vm.board.picture() is not None


def test_blockdevs_are_drives_by_their_nodes_names() -> None:
    storage = {"driver": "file", "filename": "d.qcow2", "node-name": "s", "discard": "unmap"}
    layer = {"node-name": "f", "read-only": False, "driver": "qcow2", "file": "s",
             "cache": {"direct": True, "no-flush": False}}  # fmt: skip
    assert read_blockdevs([json.dumps(storage), json.dumps(layer)])[1] == DriveSpec(
        Path("d.qcow2"), "none", format="qcow2", id="f", driver="qcow2", below="s"
    )
    nested = "driver=raw,node-name=r,read-only=on,file.driver=file,file.filename=x"
    alone = DriveSpec(Path("x"), "none", readonly=True, id="r", driver="raw")
    assert read_blockdevs([nested]) == (alone,)
    both = [each.id for each in read_blockdevs([f"{nested},file.node-name=s"])]
    assert both == ["s", "r"]


@pytest.mark.parametrize(("text", "said"), [
    ("driver=nbd,node-name=n", "driver 'nbd' is not modelled"),
    ("driver=raw,node-name=n,file=x", "Cannot find device='' nor node-name='x'"),
    ("driver=file,filename=x", "'node-name' must be specified for the root node"),
    ("driver=file,filename=x,node-name=n,pr-manager=p", "member 'pr-manager' is not modelled"),
    ("driver=file,filename=x,node-name=n,cache.no-flush=on", "cache=.* is not modelled"),
    ("driver=raw,file=x,file.driver=file", "Parameters 'file.*' used inconsistently"),
    ("driver=raw,file.driver=file,file=x", "Parameters 'file.*' used inconsistently"),
    ("driver=file,node-name=n", "Parameter 'filename' is missing"),
    ('{"driver": "file", "filename": "a\\u0000"}', r"'a\\x00' is no name of a file"),
    ("driver=file,help", "Help is not available for this option"),
    ("{'driver': [1], 'node-name': 'n'}", r"driver '\[1\]' is not modelled"),
])  # fmt: skip
def test_blockdevs_that_cannot_be_are_refused(text: str, said: str) -> None:
    with pytest.raises(GuestmapError, match=f"^-blockdev {re.escape(text)}: {said}"):
        read_blockdevs([text])


@pytest.mark.unicorn
def test_the_program_that_is_started_as_qemu_is_boots_from_a_blockdev(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(disk("boot"))
    nodes = ({"driver": "file", "filename": str(path), "node-name": "s"},
             {"driver": "raw", "file": "s", "node-name": "f"})  # fmt: skip
    device = {"driver": "ide-hd", "bus": "ide.0", "unit": 0, "drive": "f", "id": "ide0-0-0"}
    words = [sys.executable, "-m", "guestmap.system", "-machine", "pc", "-nodefaults", "-qmp",
             f"unix:{tmp_path}/qmp,server=on,wait=off", "-device", "VGA,id=video0",
             "-device", json.dumps(device)]  # fmt: skip
    words += [word for node in nodes for word in ("-blockdev", json.dumps(node))]
    program = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    try:
        while path.read_bytes()[1024:1029] != b"hello":
            assert program.poll() is None, program.stderr and program.stderr.read()
    finally:
        program.kill()
        program.communicate()
