"""Programs that stay open while machines change and people look: what they use stays flat."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING

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
FORGOTTEN_S = 40.0
"""Bokeh drops a page that nobody holds after 15 s, and looks each 17 s."""
WARM_S = 80.0
"""As many pages are held by then at one time as ever will be."""
PASSING = 4
"""Descriptors and threads of a question that is just being asked."""
MAP = """address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, i/o): system
    0000000000000000-0000000007ffffff (prio 0, ram): pc.ram
"""

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


def stay_flat(
    processes: list[int], round_: Callable[[], None], rest_s: float, most: int = sys.maxsize
) -> None:
    """Do something again and again; after a tenth of it nothing of these processes grows."""

    def until(seconds: float, count: int) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and count:
            round_()
            count -= 1
        time.sleep(rest_s)

    until(max(SOAK_S / 10, WARM_S), most // 10)
    before = list(map(used, processes))
    until(SOAK_S, most)
    for was, now in zip(before, map(used, processes), strict=True):
        assert now[0] <= was[0] + GROWTH
        assert now[1] <= was[1] + PASSING
        assert now[2] <= was[2] + PASSING


def test_ten_thousand_look_at_what_is_served(tmp_path: Path) -> None:
    from bokeh.client import pull_session

    file = tmp_path / "map.txt"
    file.write_text(MAP, encoding="utf-8")
    with program("serve", "--port", "0", file, out=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[0]
        found = re.search(r":(\d+)/", url)
        assert found is not None
        port = int(found[1])
        count = 0

        def round_() -> None:
            nonlocal count
            count += 1
            if count % 10 == 0:  # all of a page, by its WebSocket
                pull_session(url=url).close()
                return
            connection = HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/")
            assert b"bokeh" in connection.getresponse().read()
            connection.close()

        stay_flat([server.pid], round_, FORGOTTEN_S, VIEWS)


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
        stay_flat([os.getpid(), watching.pid, serving.pid], round_, 1.0)
