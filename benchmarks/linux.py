"""A stock 64-bit Linux to its shell, beside QEMU's TCG with the same kernel and machine."""

from __future__ import annotations

import compileall
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.linux_guest import PARTS, prepared

import guestmap
from benchmarks import spent
from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row

RUNS = 3
_READY = b"-- ready --"
_RAM = "512M"


def rows() -> list[Row]:
    """Return the whole process's processor time, best of 3; none without the guest's parts.

    Both have a turn in each round. guestmap's byte code is there, as where it is installed.
    """
    if not any((PARTS / "boot").glob("vmlinuz*")):
        return []
    compileall.compile_dir(Path(guestmap.__file__).parent, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        kernel, initrd, append = map(str, prepared(Path(folder)))
        ours = [sys.executable, "-m", "guestmap", "boot", "-q", "-M", "pc,smm=off", "-m", _RAM,
                "--kernel", kernel, "--initrd", initrd, "--append", append,
                "--serial", "stdio"]  # fmt: skip
        theirs = PROGRAM and [
            PROGRAM, *MACHINE, "-accel", "tcg", "-m", _RAM, "-kernel", kernel,
            "-initrd", initrd, "-append", append, "-serial", "stdio", "-monitor", "none",
        ]  # fmt: skip
        rounds = [(_spent(ours), _spent(theirs) if theirs else None) for _ in range(RUNS)]
    return [
        Row("process start to the shell, processor time", min(each[0] for each in rounds),
            min((each[1] for each in rounds if each[1]), default=None))
    ]  # fmt: skip


def _spent(command: list[str]) -> float:
    return spent.of_children(lambda: _to_the_shell(command))


def _to_the_shell(command: list[str]) -> None:
    """Run a process until its guest's shell waits for a line."""
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        text = b""
        while _READY not in text:
            piece = process.stdout.read1(4096)  # type: ignore[attr-defined]
            assert piece, f"{command[0]} ended before the shell: {text[-200:]!r}"
            text += piece
        process.kill()
