"""SeaBIOS from the reset vector to INT 19h, beside QEMU's TCG with the same image."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time

from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row

RUNS = 7
_LAST_LINE = b"enter handle_19"
_RAM = "128M"


def rows() -> list[Row]:
    """Return the time of a whole process, and the time from the first instruction; best of 7."""
    ours = [_ours() for _ in range(RUNS)]
    theirs = [_qemu() for _ in range(RUNS)] if PROGRAM else []
    return [
        Row("process start to INT 19h", min(o[0] for o in ours),
            min(t[0] for t in theirs) if theirs else None),
        Row("first instruction to INT 19h", min(o[1] for o in ours),
            min(t[1] for t in theirs) if theirs else None),
    ]  # fmt: skip


def _ours() -> tuple[float, float]:
    start = time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "guestmap", "boot", "-m", _RAM, "--until", "boot", "--json"],
        capture_output=True, check=True,
    )  # fmt: skip
    whole = time.perf_counter() - start
    times = {p["name"]: p["time_s"] for p in json.loads(run.stdout)["phases"]}
    return whole, times["boot"] - times["reset"]


def _qemu() -> tuple[float, float]:
    assert PROGRAM is not None
    log, log_end = os.pipe()
    monitor, monitor_theirs = socket.socketpair()
    fds = (log_end, monitor_theirs.fileno())
    start = time.perf_counter()
    with subprocess.Popen(
        [PROGRAM, *MACHINE, "-S", "-m", _RAM, "-chardev", f"file,id=d,path=/dev/fd/{fds[0]}",
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
            first = time.perf_counter()
            replies.readline()
        text = b""
        while _LAST_LINE not in text:
            piece = os.read(log, 65536)
            assert piece, f"QEMU ended before INT 19h: {text[-200:]!r}"
            text += piece
        end = time.perf_counter()
        process.kill()
    os.close(log)
    replies.close()
    monitor.close()
    return end - start, end - first
