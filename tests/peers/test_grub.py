"""GRUB, from a disk and from a rescue disc, sees the memory on our machine that it sees in QEMU."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.linux_guest import PARTS
from tests.support.processes import popen
from tests.support.qemu import require_qemu

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

MEDIA = PARTS.with_name("boot-media")
MODULES = MEDIA / "usr" / "lib" / "grub" / "i386-pc"
SECTOR = 512
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_SCRIPT = """
serial --unit=0 --speed=115200
terminal_output serial
lsmmap
ls
cat {file}
echo finished
halt
"""
_BLOCKS_AT, _BLOCKS_SEGMENT = 0x1F4, 0x820
"""Where the first sector of GRUB's core lists those that follow (grub, boot/i386/pc/diskboot.S)."""


@pytest.fixture(autouse=True)
def _parts() -> None:
    if not (MEDIA / "starters").is_dir():
        pytest.skip("no GRUB: tools/boot_media.sh unpacks it")


def _run(name: str, *words: str | Path) -> None:
    command = [str(MEDIA / "starters" / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


def _disk(folder: Path) -> Path:
    """A disk with GRUB's boot sector and core behind each other, as grub-install embeds them."""
    script, core = folder / "early.cfg", folder / "core.img"
    script.write_text(_SCRIPT.format(file="(hd0)2040+1"))
    modules = "biosdisk part_msdos serial terminal lsmmap ls cat echo halt"
    _run("grub-mkimage", "-d", MODULES, "-O", "i386-pc", "-p", "", "-c", script, "-o", core,
         *modules.split())  # fmt: skip
    content = bytearray(core.read_bytes())
    content += bytes(-len(content) % SECTOR)
    following = len(content) // SECTOR - 1
    content[_BLOCKS_AT:SECTOR] = (
        (2).to_bytes(8, "little") + following.to_bytes(2, "little")
        + _BLOCKS_SEGMENT.to_bytes(2, "little")
    )  # fmt: skip
    disk = (MODULES / "boot.img").read_bytes() + content
    disk = disk.ljust(2040 * SECTOR, b"\0") + b"words on the disk\n".ljust(8 * SECTOR, b" ")
    (folder / "disk.img").write_bytes(disk)
    return folder / "disk.img"


def _disc(folder: Path) -> Path:
    """A disc of grub-mkrescue's."""
    tree = folder / "tree"
    (tree / "boot" / "grub").mkdir(parents=True)
    (tree / "words").write_text("words on the disc\n")
    (tree / "boot" / "grub" / "grub.cfg").write_text(_SCRIPT.format(file="/words"))
    modules = "biosdisk iso9660 serial terminal lsmmap ls cat echo halt normal configfile"
    _run("grub-mkrescue", "-d", MODULES, "--locales=", "--fonts=", "--themes=",
         f"--xorriso={MEDIA / 'starters' / 'xorriso'}", f"--install-modules={modules}",
         "-o", folder / "rescue.iso", tree)  # fmt: skip
    return folder / "rescue.iso"


def _said(command: Sequence[str | Path], serial: Path) -> list[str]:
    """Return what GRUB says on the serial port of a machine that then switches itself off."""
    words = list(map(str, command))
    with popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        assert run.wait(120) == 0
    text = _ESCAPE.sub("", serial.read_text("latin-1")).replace("\r", "")
    return [line.strip() for line in text.split("\n") if line.strip()]


@pytest.mark.parametrize(("make", "option", "words"), [
    (_disk, "--disk", "words on the disk"), (_disc, "--cdrom", "words on the disc"),
])  # fmt: skip
def test_it_boots_and_sees_the_memory_that_it_sees_in_qemu(
    make: object, option: str, words: str, tmp_path: Path
) -> None:
    assert callable(make)
    image = make(tmp_path)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    program = [sys.executable, "-m", "guestmap", "boot", "-q", "-m", "256M", option, image]
    found = _said([*program, "--serial", ours], ours)
    drive = ["-cdrom", image] if make is _disc else ["-drive", f"file={image},format=raw"]
    qemu = [require_qemu(), "-M", "pc-i440fx-7.2", "-nodefaults", "-vga", "none", "-m", "256M",
            "-display", "none", "-serial", f"file:{theirs}", *drive]  # fmt: skip
    expected = _said(qemu, theirs)
    assert found[-1] == "finished"
    assert words in found
    assert sum("available RAM" in line for line in found) == 2
    assert found == expected
