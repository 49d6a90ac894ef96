"""SYSLINUX, from a floppy, runs on our machine and says what it says in QEMU."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.linux_guest import PARTS
from tests.support.processes import popen
from tests.support.qemu import require_qemu

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

STARTERS = PARTS.with_name("boot-media") / "starters"
PATIENCE_S = 120.0
_CONFIG = "SERIAL 0 115200\nDEFAULT none\nPROMPT 1\nTIMEOUT 0\n"


@pytest.fixture
def floppy(tmp_path: Path) -> Path:
    """Return a floppy disk that SYSLINUX is on."""
    if not (STARTERS / "syslinux").exists():
        pytest.skip("no SYSLINUX: tools/boot_media.sh unpacks it")
    image, config = tmp_path / "floppy.img", tmp_path / "syslinux.cfg"
    image.write_bytes(bytes(1440 << 10))
    config.write_text(_CONFIG)
    steps: tuple[list[str | Path], ...] = (
        ["mformat", "-f", "1440", "-i", image, "::"],
        ["mcopy", "-i", image, config, "::"],
        ["syslinux", "--install", image],
    )
    for words in steps:
        path = f"{STARTERS}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            list(map(str, words)), env={**os.environ, "PATH": path}, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert not done.returncode, done.stderr
    return image


def _said(command: list[str | Path], serial: Path) -> str:
    """Return what is said on the serial port up to the prompt."""
    deadline = time.monotonic() + PATIENCE_S
    with popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        try:
            while "boot:" not in (text := serial.read_text() if serial.exists() else ""):
                assert run.poll() is None
                assert time.monotonic() < deadline, text
                time.sleep(0.05)
        finally:
            run.kill()
    return text


def test_it_comes_to_its_prompt(floppy: Path, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    drive = f"file={floppy},if=floppy,format=raw,snapshot=on"
    found = _said([sys.executable, "-m", "guestmap", "boot", "-q", "--drive", drive,
                   "--serial", ours], ours)  # fmt: skip
    expected = _said(
        [require_qemu(), "-M", "pc-i440fx-7.2", "-nodefaults", "-vga", "none", "-display", "none",
         "-serial", f"file:{theirs}", "-drive", drive], theirs,
    )  # fmt: skip
    assert "SYSLINUX" in found
    assert found.strip() == expected.strip()
