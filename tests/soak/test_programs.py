"""Programs that stay open while machines change and people look: what they use stays flat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.monitor import MonitorServer
from tests.soak.test_flat import GROWTH, SOAK_S
from tests.support.processes import popen
from tests.support.qmp_socket import QmpSocket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VIEWS = 10_000
RATE = 5.0
"""Views a second: what a server on a busy host keeps up with."""
GONE_S = 300.0
"""A page that nobody holds goes within 19 s; more on a busy host."""
WARM_S = 80.0
"""As many pages are held by then at one time as ever will be."""
PASSING = 4
"""Descriptors and threads of a question that is just being asked."""
PASSING_OBJECTS = 2000
"""Of a cache here and there; a page is some 6,000."""
MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""

SERVER = """
import gc, sys, threading
from guestmap.inspect.sources.open import load_snapshot
from guestmap.view.film import Film, Frame
from guestmap.view.live import FilmServer

film = Film("a map")
film.add(Frame(0.0, "as it is", load_snapshot(sys.argv[1])))
served = FilmServer(film)
bokeh = served._server

def tell():
    gc.collect()
    print(len(bokeh.get_sessions()), len(gc.get_objects()), flush=True)

def answer():
    for _ in sys.stdin:
        bokeh.io_loop.add_callback(tell)

print(served.url, flush=True)
threading.Thread(target=answer, daemon=True).start()
served.run()
"""
"""Serves one map, and answers each line with what it holds."""

pytestmark = [
    pytest.mark.soak,
    pytest.mark.timeout(2 * SOAK_S + 900),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@contextmanager
def program(*words: object, out: int = subprocess.DEVNULL) -> Iterator[subprocess.Popen[str]]:
    """Run guestmap with these words for a while."""
    with popen([sys.executable, "-m", "guestmap", *map(str, words)], stdout=out, text=True) as run:
        try:
            yield run
            assert run.poll() is None, "it stays open"
        finally:
            run.send_signal(signal.SIGINT)
            run.communicate(timeout=60)


def used(process: int) -> tuple[int, int, int]:
    """Return resident bytes, open descriptors and threads of a process."""
    folder = Path(f"/proc/{process}")
    resident = int((folder / "statm").read_text(encoding="ascii").split()[1])
    return (
        resident * os.sysconf("SC_PAGE_SIZE"),
        len(os.listdir(folder / "fd")),
        len(os.listdir(folder / "task")),
    )


def stay_flat(processes: list[int], round_: Callable[[], None]) -> None:
    """Do something again and again; after a tenth of the time nothing of these processes grows."""

    def until(seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            round_()
        time.sleep(1.0)

    until(max(SOAK_S / 10, WARM_S))
    before = list(map(used, processes))
    until(SOAK_S)
    for was, now in zip(before, map(used, processes), strict=True):
        assert now[0] <= was[0] + GROWTH
        assert now[1] <= was[1] + PASSING
        assert now[2] <= was[2] + PASSING


class Held(NamedTuple):
    """What a server holds once nobody looks any more."""

    pages: int
    objects: int
    """Python's, that its garbage collector knows of."""
    resident: int
    descriptors: int
    threads: int


class CountedServer:
    """A server of a film that tells what it holds, as no program need."""

    def __init__(self, run: subprocess.Popen[str]) -> None:
        assert run.stdin is not None
        assert run.stdout is not None
        self._process = run.pid
        self._asked, self._told = run.stdin, run.stdout
        self.url = self._told.readline().strip()

    def held(self) -> Held:
        """Return what is held when pages had their time to go.

        A timer of a page that has just gone holds what was in it until it would have rung.
        """
        end = time.monotonic() + GONE_S
        before, found = None, self._now()
        while found.pages or before is None or found.objects < before.objects:
            assert time.monotonic() < end, f"{found.pages} pages are still held"
            time.sleep(1)
            before, found = found, self._now()
        return found

    def _now(self) -> Held:
        self._asked.write("\n")
        self._asked.flush()
        pages, objects = map(int, self._told.readline().split())
        return Held(pages, objects, *used(self._process))


def test_ten_thousand_look_at_what_is_served(tmp_path: Path) -> None:
    """What is held while views come says nothing: a page stays for 15 to 19 s."""
    from bokeh.client import pull_session

    file = tmp_path / "map.txt"
    file.write_text(MAP, encoding="utf-8")
    words, pipe = [sys.executable, "-c", SERVER, str(file)], subprocess.PIPE
    with popen(words, stdin=pipe, stdout=pipe, text=True) as run:
        server = CountedServer(run)
        port = urlsplit(server.url).port
        assert port is not None

        def look(number: int) -> None:
            if number % 10 == 0:  # all of a page, by its WebSocket
                pull_session(url=server.url).close()
                return
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/")
            assert b"bokeh" in connection.getresponse().read()
            connection.close()

        def views(most: int, seconds: float) -> int:
            start = time.monotonic()
            for number in range(most):
                time.sleep(max(0.0, start + number / RATE - time.monotonic()))
                if time.monotonic() > start + seconds:
                    return number
                look(number)
            return most

        try:
            seen = views(VIEWS * 3 // 10, max(SOAK_S * 3 / 10, WARM_S))
            before = server.held()
            seen += views(VIEWS * 7 // 10, SOAK_S * 7 / 10)
            after = server.held()
        finally:
            run.kill()
    print(f"{seen:,} views: {before}, then {after}")
    assert after.objects <= before.objects + PASSING_OBJECTS
    assert after.resident <= before.resident + GROWTH
    assert after.descriptors <= before.descriptors + PASSING
    assert after.threads <= before.threads


@pytest.mark.seabios
def test_a_machine_changes_while_it_is_watched_and_served(tmp_path: Path) -> None:
    path = tmp_path / "qmp"
    segments = 0

    def round_() -> None:
        nonlocal segments
        segments = (segments + 1) % 16
        with vm.exclusive():
            vm.board.io.store(0xCF8, 4, 0x8000_0058)
            vm.board.io.store(0xCFC + 2, 1, 0x33 if segments & 1 else 0x11)
        name = f"m{segments}"
        client.ask("object-add", qom_type="memory-backend-ram", id=name, size=2 * MIB)
        client.ask("object-del", id=name)
        time.sleep(0.05)

    with ExitStack() as stack:
        vm = stack.enter_context(VirtualMachine(MachineConfig(ram_size=16 * MIB)))
        server = stack.enter_context(MonitorServer(vm, [f"unix:{path}"]))
        client = stack.enter_context(QmpSocket(server.addresses[0]))
        watching = stack.enter_context(program("watch", f"unix:{path}", "--interval", "0.05"))
        served = ("serve", "--port", "0", "--interval", "0.05", f"unix:{path}")
        serving = stack.enter_context(program(*served))
        # a film is full after a thousand changes
        for _ in range(1100):
            round_()
        stay_flat([os.getpid(), watching.pid, serving.pid], round_)
