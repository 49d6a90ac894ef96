"""SeaBIOS boots from our disks and discs, as it does from QEMU's."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guestmap.base import ConfigError
from guestmap.machine import MachineConfig, Phase, VirtualMachine, saved
from guestmap.machine.options.drive import DriveSpec, cdrom, placed
from tests.guests.disk import SAYING, disc, disk
from tests.support.processes import popen
from tests.support.qemu import Qemu

pytestmark = [pytest.mark.seabios, pytest.mark.unicorn]

SECTOR = 512
HELLO = "hello from sector one"
_ADDRESS = re.compile("0x[0-9a-f]{8}")
_NUMBER = re.compile("ms  ([0-9a-f]{4})$")


def _file(folder: Path, content: bytes) -> Path:
    path = folder / "image"
    path.write_bytes(content)
    return path


def _log(*drives: DriveSpec) -> list[str]:
    with VirtualMachine(MachineConfig(debugcon=True, drives=placed([*drives]))) as vm:
        vm.run(until=Phase.HALT)
        return [line.text for line in vm.debug_log.lines]


@pytest.mark.parametrize("snapshot", [False, True])
def test_a_boot_sector_reads_and_writes_its_disk(tmp_path: Path, snapshot: bool) -> None:
    content = disk("boot")
    path = _file(tmp_path, content)
    log = _log(DriveSpec(path, snapshot=snapshot))
    assert log[-2:] == [HELLO, "done"]
    assert "Booting from Hard Disk..." in log
    written = content[: 2 * SECTOR] + content[SECTOR : 2 * SECTOR] + content[3 * SECTOR :]
    assert path.read_bytes() == (content if snapshot else written)


def test_a_disk_that_must_not_be_written_is_not(tmp_path: Path) -> None:
    content = disk("boot")
    path = _file(tmp_path, content)
    assert _log(DriveSpec(path, readonly=True))[-2:] == [HELLO, "failed"]
    assert path.read_bytes() == content


@pytest.mark.parametrize("readonly", [False, True])
def test_a_floppy_boots_and_is_written(tmp_path: Path, readonly: bool) -> None:
    content = disk("floppy", 1440 << 10)
    path = _file(tmp_path, content)
    log = _log(DriveSpec(path, "floppy", readonly=readonly))
    assert "Booting from Floppy..." in log
    assert log[-2:] == ["hello from the other side", "failed" if readonly else "done"]
    sector, target = content[18 * SECTOR : 19 * SECTOR], ((1 * 2 + 1) * 18 + 1) * SECTOR
    written = content[:target] + sector + content[target + SECTOR :]
    assert path.read_bytes() == (content if readonly else written)


def test_a_floppy_of_an_odd_size_is_refused(tmp_path: Path) -> None:
    path = _file(tmp_path, bytes(1000 << 10))
    with pytest.raises(ConfigError, match=r"no floppy disk has 1024000 bytes: there are 160K, "):
        VirtualMachine(MachineConfig(drives=placed([DriveSpec(path, "floppy")])), engine="none")


def test_a_disc_boots(tmp_path: Path) -> None:
    log = _log(cdrom(_file(tmp_path, disc())))
    assert log[-1] == SAYING.decode()
    assert "Booting from DVD/CD..." in log


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its drives, and what its SeaBIOS says of them")
def test_the_firmware_finds_what_it_finds_with_qemu(tmp_path: Path) -> None:
    path = _file(tmp_path, disk("boot"))
    other = tmp_path / "disc"
    other.write_bytes(disc())
    ours = [_ADDRESS.sub("", x) for x in _log(DriveSpec(path, snapshot=True), cdrom(other))]
    log = tmp_path / "log"
    console = (
        "-chardev",
        f"file,id=d,path={log}",
        "-device",
        "isa-debugcon,iobase=0x402,chardev=d",
    )
    drives = ("-drive", f"file={path},format=raw,snapshot=on", "-cdrom", str(other))
    with Qemu(*console, *drives, stopped=False):
        while "done" not in (theirs := log.read_text() if log.exists() else "").split("\n"):
            pass  # pytest's timeout ends a wait in vain
    for line in theirs.split("\n"):
        if line.startswith(("ata", "DVD", "drive", "Booting", "  ", HELLO)):
            assert _ADDRESS.sub("", line) in ours


def test_a_machine_saved_between_two_sectors_goes_on(tmp_path: Path) -> None:
    path = _file(tmp_path, disk("boot"))
    config = MachineConfig(debugcon=True, drives=placed([DriveSpec(path, snapshot=True)]))
    file = tmp_path / "machine"
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.RUNTIME)
        saved.save(vm, file)
    with saved.restore(file) as vm:
        vm.run(until=Phase.HALT)
        assert [line.text for line in vm.debug_log.lines][-2:] == [HELLO, "done"]


def test_what_was_written_aside_is_saved(tmp_path: Path) -> None:
    path = _file(tmp_path, disk("boot"))
    config = MachineConfig(debugcon=True, drives=placed([DriveSpec(path, snapshot=True)]))
    file = tmp_path / "machine"
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        saved.save(vm, file)
    with saved.restore(file) as vm:
        (medium,) = vm.board.media
        assert medium.read(2 * SECTOR, len(HELLO)) == HELLO.encode()


def test_a_disk_of_a_machine_that_runs_is_refused(tmp_path: Path) -> None:
    config = MachineConfig(drives=placed([DriveSpec(_file(tmp_path, disk("boot")))]))
    with (
        VirtualMachine(config, engine="none"),
        pytest.raises(ConfigError, match=r"^-drive ide0-hd0: .* is used by another machine"),
    ):
        VirtualMachine(config, engine="none")


def test_what_the_guest_flushed_survives_a_kill(tmp_path: Path) -> None:
    path = _file(tmp_path, disk("writer"))
    command = [sys.executable, "-m", "guestmap", "boot", "--disk", str(path)]
    process = popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    told = 0
    for line in process.stdout:
        if (number := _NUMBER.search(line.rstrip())) is not None:
            told = int(number[1], 16)
        if told >= 20:
            break
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    found = path.read_bytes()[SECTOR : 2 * SECTOR]
    written = int.from_bytes(found[:4], "little")
    assert written >= told
    assert found == written.to_bytes(4, "little") * 128
