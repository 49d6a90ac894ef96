"""SeaBIOS from the reset vector to INT 19h, beside QEMU's TCG with the same image."""

from __future__ import annotations

import compileall
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import guestmap
from benchmarks import older, spent
from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row
from guestmap.base import parse_size
from guestmap.machine import MachineConfig, Phase, VirtualMachine

Environment = dict[str, str] | None
RUNS = 7
_LAST_LINE = b"enter handle_19"
_RAM = "128M"
_BOARD = ("-M", "pc,smm=off")  # as QEMU's beside it


_INSTALLED = (str(Path(sys.executable).with_name("guestmap")),)
_MODULE = (sys.executable, "-m", "guestmap")  # sources that nobody has installed

_WHAT = (
    "process start to INT 19h", "first instruction to INT 19h",
    "the same, processor time", "the whole process, processor time",
)  # fmt: skip


def rows() -> list[Row]:
    """Return times of a start, best of 7; both have a turn in each round.

    guestmap's byte code is there, as where it is installed. Processor time is that of the CPU's
    thread and of all others together.
    """
    compileall.compile_dir(Path(guestmap.__file__).parent, quiet=1)
    rounds = [(_ours(), qemu() if PROGRAM else None) for _ in range(RUNS)]
    return [
        Row(what, min(ours[n] for ours, _ in rounds),
            min((theirs[n] for _, theirs in rounds if theirs), default=None))
        for n, what in enumerate(_WHAT)
    ]  # fmt: skip


def older_rows() -> list[Row]:
    """Return the processor time of a whole boot, beside an older commit's in the same rounds."""
    compileall.compile_dir(Path(guestmap.__file__).parent, quiet=1)
    with older.sources() as sources:
        if sources is None:
            return []
        compileall.compile_dir(sources / "guestmap", quiet=1)
        theirs = os.environ | {"PYTHONPATH": str(sources)}
        pairs = [(_whole(_BOARD), _whole((), _MODULE, theirs)) for _ in range(RUNS)]
    return [
        Row("the whole process, processor time", min(p[0] for p in pairs), min(p[1] for p in pairs))
    ]  # fmt: skip


def _whole(
    board: tuple[str, ...], program: tuple[str, ...] = _INSTALLED, environment: Environment = None
) -> float:
    """Return the processor time of ``guestmap boot --until boot -q``."""
    boot = [*program, "boot", *board, "-m", _RAM, "--until", "boot", "-q"]
    return spent.of_children(
        lambda: subprocess.run(boot, check=True, env=environment, stdout=subprocess.DEVNULL)
    )


def _ours() -> tuple[float, float, float, float]:
    command = [sys.executable, "-m", "guestmap", "boot", *_BOARD, "-m", _RAM, "--until", "boot"]
    start = time.perf_counter()
    run = subprocess.run([*command, "--json"], capture_output=True, check=True)
    whole = time.perf_counter() - start
    times = {p["name"]: p["time_s"] for p in json.loads(run.stdout)["phases"]}
    return whole, times["boot"] - times["reset"], _post_alone(), _whole(_BOARD)


def _post_alone() -> float:
    """Return the processor time from the first instruction to INT 19h, in this process."""
    with VirtualMachine(MachineConfig(ram_size=parse_size(_RAM), debugcon=True)) as vm:
        begin = time.process_time()
        vm.run(until=Phase.BOOT)
        return time.process_time() - begin


def qemu(accel: str = "tcg") -> tuple[float, float, float, float]:
    """Return QEMU's times, as the rows have them."""
    assert PROGRAM is not None
    log, log_end = os.pipe()
    monitor, monitor_theirs = socket.socketpair()
    fds = (log_end, monitor_theirs.fileno())
    start = time.perf_counter()
    with subprocess.Popen(
        [PROGRAM, *MACHINE, "-accel", accel, "-S", "-m", _RAM,
         "-chardev", f"file,id=d,path=/dev/fd/{fds[0]}",
         "-device", "isa-debugcon,iobase=0x402,chardev=d",
         "-chardev", f"socket,id=m,fd={fds[1]}", "-mon", "chardev=m,mode=control"],
        pass_fds=fds, stdin=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        os.close(log_end)
        monitor_theirs.close()
        replies = monitor.makefile("r")
        replies.readline()
        for command in ("qmp_capabilities", "cont"):
            monitor.sendall(json.dumps({"execute": command}).encode())
            first, before = time.perf_counter(), spent.of_process(process.pid)
            replies.readline()
        text = b""
        while _LAST_LINE not in text:
            piece = os.read(log, 65536)
            assert piece, f"QEMU ended before INT 19h: {text[-200:]!r}"
            text += piece
        end, whole = time.perf_counter(), spent.of_process(process.pid)
        process.kill()
    os.close(log)
    replies.close()
    monitor.close()
    return end - start, end - first, whole - before, whole
