"""Our program as an emulator of libvirt's, beside the distribution's QEMU: probe, define, start.

Both are asked the same, in turns: a busy host is busy for both. A probe is what libvirt does before
it uses an emulator: the program is started in the background, and asked what there is. Where the
host has a KVM, libvirt sees it: an emulator that says nothing of it would be probed at each step.
"""

from __future__ import annotations

import os
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest
from tests.support.emulator import document, program
from tests.support.libvirtd import Libvirtd, libvirtd

from benchmarks.qemu import PROGRAM
from benchmarks.table import Row
from guestmap.system.probe.kvm import has_kvm
from guestmap.system.probe.questions import questions

_ROUNDS = 9


def rows() -> list[Row]:
    """Return the medians; only that of a probe where libvirt cannot be had."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pair = program(folder), str(PROGRAM)
        found = [_row("a probe: start, questions", pair, lambda each: _probe(each, folder))]
        with suppress(pytest.skip.Exception):
            found += _by_libvirt(pair, folder)
    return found


def _row(what: str, pair: tuple[str, str], action: Callable[[str], float]) -> Row:
    """Return the medians of an action that tells its seconds, with each emulator."""
    times = [[action(each) for each in pair] for _ in range(_ROUNDS + 1)][1:]
    ours, theirs = (statistics.median(each) for each in zip(*times, strict=True))
    return Row(what, ours, theirs)


def _probe(emulator: str, folder: Path) -> float:
    path, numbers = folder / "monitor", folder / "pid"
    command = [emulator, "-S", "-no-user-config", "-nodefaults", "-nographic", "-machine",
               "none,accel=tcg", "-qmp", f"unix:{path},server=on,wait=off", "-pidfile",
               str(numbers), "-daemonize"]  # fmt: skip
    start = time.perf_counter()
    subprocess.run(command, check=True)
    number = int(numbers.read_text())
    try:
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rb") as answers:
            client.connect(str(path))
            answers.readline()
            for count, question in enumerate(questions()):
                client.sendall(question + b',"id":"libvirt-%d"}\r\n' % count)
                answers.readline()
            return time.perf_counter() - start
    finally:
        os.kill(number, signal.SIGKILL)
        path.unlink(missing_ok=True)
        numbers.unlink(missing_ok=True)


def _by_libvirt(pair: tuple[str, str], folder: Path) -> list[Row]:
    """Return what ``virsh define`` and ``virsh start`` wait for, the emulators probed before."""
    with ExitStack() as stack:
        daemons: dict[str, Libvirtd] = {}
        for name, emulator in zip(("ours", "theirs"), pair, strict=True):
            (folder / name).mkdir()
            daemons[emulator] = stack.enter_context(
                libvirtd(folder / name, emulator, watched=False, kvm=has_kvm())
            )

        def define(emulator: str) -> float:
            told = document(emulator, "vm")
            start = time.perf_counter()
            domain = daemons[emulator].connection.defineXML(told)
            taken = time.perf_counter() - start
            domain.undefine()
            return taken

        def run(emulator: str) -> float:
            told = document(emulator, "vm")
            domain = daemons[emulator].connection.defineXML(told)
            start = time.perf_counter()
            domain.create()
            taken = time.perf_counter() - start
            domain.destroy()
            domain.undefine()
            return taken

        return [_row("define", pair, define), _row("start, to running", pair, run)]
