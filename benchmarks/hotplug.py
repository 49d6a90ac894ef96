"""Plugging memory in over QMP: our machine and QEMU, each a process of its own behind a socket."""

from __future__ import annotations

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from benchmarks.qemu import MACHINE, PROGRAM
from benchmarks.table import Row

GIB = 1 << 30
BOARD = ("-M", "pc,smm=off")
"""As QEMU's beside it: with SMM a change of the map is rendered for the CPU once more."""
_SLOTS = 255
_MEMORY = ("-m", f"128M,slots={_SLOTS},maxmem=300G")
_GETS = 10_000
_STARTS = 7
"""Machines that are started for what happens once in each; the median counts."""
_DIMM_BYTES = 2 << 20
_WAIT_S = 30.0


def request(command: str, **arguments: Any) -> bytes:
    """Return a request as it goes over the wire."""
    return json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n"


class Client:
    """One QMP session; as little as possible between the socket and the clock.

    Attributes:
        process: the machine's number, where :func:`machine` has started it; 0 elsewhere.
    """

    def __init__(self, path: str) -> None:
        self.process = 0
        self._socket = socket.socket(socket.AF_UNIX)
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                self._socket.connect(path)
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self._lines = self._socket.makefile("rb")
        self.events: list[dict[str, Any]] = []
        self._lines.readline()
        self.ask("qmp_capabilities")

    def ask(self, command: str, **arguments: Any) -> Any:
        """Execute a command and return what it returns."""
        self._socket.sendall(request(command, **arguments))
        while True:
            message = json.loads(self._lines.readline())
            if "event" not in message:
                return message["return"]
            self.events.append(message)

    def hear(self, event: str, **data: Any) -> None:
        """Wait for an event that says so, of those since the last that was waited for."""
        while True:
            while self.events:
                told = self.events.pop(0)
                if told["event"] == event and data.items() <= told["data"].items():
                    return
            message = json.loads(self._lines.readline())
            if "event" in message:
                self.events.append(message)

    def repeat(self, line: bytes, count: int) -> float:
        """Return the seconds that one request takes, sent again and again."""
        start = time.perf_counter()
        for _ in range(count):
            self._socket.sendall(line)
            self._lines.readline()
        return (time.perf_counter() - start) / count

    def close(self) -> None:
        """End the session."""
        self._lines.close()
        self._socket.close()


@contextmanager
def machine(command: list[str], path: str) -> Iterator[Client]:
    """Run a machine in a process of its own, and be its client."""
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        client = Client(path)
        client.process = process.pid
        try:
            yield client
        finally:
            client.close()
    finally:
        process.kill()
        process.wait()
        with suppress(FileNotFoundError):
            Path(path).unlink()


def ours(path: str) -> list[str]:
    """Return the command line of our machine."""
    command = [sys.executable, "-m", "guestmap", "boot", *BOARD, *_MEMORY]
    return [*command, "--qmp", f"unix:{path}", "-S", "-q"]


def theirs(path: str) -> list[str]:
    """Return the command line of QEMU."""
    assert PROGRAM is not None
    return [
        PROGRAM,
        *MACHINE,
        "-accel",
        "tcg",
        *_MEMORY,
        "-S",
        "-qmp",
        f"unix:{path},server=on,wait=off",
    ]


def attach(client: Client, name: str, size: int) -> tuple[float, float]:
    """Plug one DIMM in; return the seconds of both requests, and of ``device_add`` alone."""
    backend = {"qom-type": "memory-backend-ram", "id": f"m{name}", "size": size, "reserve": False}
    start = time.perf_counter()
    client.ask("object-add", **backend)
    second = time.perf_counter()
    client.ask("device_add", driver="pc-dimm", id=f"d{name}", memdev=f"m{name}")
    end = time.perf_counter()
    return end - start, end - second


def measure(command: list[str], path: str) -> dict[str, float]:
    """Return the seconds of each thing that is measured."""
    firsts = []
    for _ in range(_STARTS - 1):
        with machine(command, path) as client:
            firsts.append(attach(client, "first", GIB))
    with machine(command, path) as client:
        firsts.append(attach(client, "first", GIB))
        further = statistics.median(attach(client, f"g{number}", GIB)[0] for number in range(9))
        get = request("qom-get", path="/machine/peripheral/dfirst", property="addr")
        one_get = client.repeat(get, _GETS)
        mtree = request("human-monitor-command", **{"command-line": "info mtree -f"})
        client.repeat(mtree, 3)  # what is imported when it is first asked for
        one_mtree = client.repeat(mtree, 100)
    with machine(command, path) as client:
        start = time.perf_counter()
        each, adds = zip(
            *(attach(client, str(number), _DIMM_BYTES) for number in range(_SLOTS)), strict=True
        )
        everything = time.perf_counter() - start
    first, first_add = map(statistics.median, zip(*firsts, strict=True))
    return {
        "the first DIMM of 1 GiB": first,
        "a further DIMM of 1 GiB": further,
        "its device_add alone, the first": first_add,
        "device_add alone, the 2nd to 16th": statistics.median(adds[1:16]),
        "device_add alone, the last 15": statistics.median(adds[-15:]),
        f"{_SLOTS} DIMMs, one after another": everything,
        "the last 50 of them, each": sum(sorted(each[-50:])[:25]) / 25,
        f"qom-get, each of {_GETS:,}": one_get,
        "info mtree -f, round trip": one_mtree,
    }


def rows() -> list[Row]:
    """Return the rows of the table."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/qmp"
        mine = measure(ours(path), path)
        peers = measure(theirs(path), path) if PROGRAM is not None else {}
    return [Row(name, seconds, peers.get(name)) for name, seconds in mine.items()]
