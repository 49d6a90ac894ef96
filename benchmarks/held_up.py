"""``query-status`` beside a client that sends requests of 2 MB without end, and without it."""

from __future__ import annotations

import multiprocessing
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.hotplug import Client
from benchmarks.table import Row

SECONDS = 10.0
_PAUSE_S = 0.002
_LONG = b'{"execute": "query-status", "id": [' + b"123," * 500_000 + b"1]}"
"""A million tokens: the most that the monitor takes."""


def rows() -> list[Row]:
    """Return the 99th percentile beside such a client; the peer is that of a machine left alone."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/qmp"
        command = [sys.executable, "-m", "guestmap", "boot", "--qmp", f"unix:{path}", "-q"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as us:
            try:
                client = Client(path)
                time.sleep(2.0)  # the firmware is through with its start
                alone = _percentile(client)
                with _attacker(Path(path)):
                    beside = _percentile(client)
            finally:
                us.terminate()
    return [Row("query-status beside a client that sends 2 MB requests, p99", beside, alone)]


def _percentile(client: Client) -> float:
    times = []
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        start = time.perf_counter()
        client.ask("query-status")
        times.append(time.perf_counter() - start)
        time.sleep(_PAUSE_S)
    return sorted(times)[len(times) * 99 // 100]


@contextmanager
def _attacker(path: Path) -> Iterator[None]:
    process = multiprocessing.Process(target=_send, args=(str(path),), daemon=True)
    process.start()
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.join()


def _send(path: str) -> None:
    """Send without end, and read what comes back without looking at it."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.setblocking(False)
        left = memoryview(b'{"execute": "qmp_capabilities"}')
        while True:
            try:
                left = left[connection.send(left) :]
            except BlockingIOError:
                time.sleep(_PAUSE_S)
            with suppress(BlockingIOError):
                connection.recv(1 << 20)
            left = left or memoryview(_LONG)
