"""The domain manager beside libvirt 9.0, both on the same QEMU, with the same outcome, in one run.

Most of an attach is waiting for QEMU, of a detach for the guest as well, for both; so each is
measured whole, and less that wait, which is timed at a socket of its own with the same commands.
The guest is one that lets go at once. What does not depend on who else uses the host is the
processor time: our own, beside that of the daemon and its client.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support.libvirtd import Libvirtd, libvirtd

from benchmarks import spent
from benchmarks.domain_clients import in_parallel
from benchmarks.domain_pair import DIMM, pair_of
from benchmarks.hotplug import Client
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.store.store import Store
from guestmap.testing.guests import hotplug_guest

_ROUNDS = 24
_BOTH = 3
_READY_S = 60.0


def rows() -> list[Row]:
    """Return our times beside libvirt's; none where libvirt cannot be had."""
    with ExitStack() as stack:
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # where theirs are, too
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=memory)))
        (folder / "libvirt").mkdir()
        emulator = str(PROGRAM)
        try:
            theirs = stack.enter_context(libvirtd(folder / "libvirt", emulator, watched=False))
        except pytest.skip.Exception:
            return []
        ours = Manager(Store(folder / "config", folder / "run"))
        return [
            *_starts(ours, theirs, emulator),
            *_changes(ours, theirs, emulator, folder),
            *in_parallel(ours, theirs, emulator),
        ]


def _timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _starts(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    times: list[tuple[float, float]] = []
    with pair_of(ours, theirs, emulator) as pair:
        pair.start_theirs()  # the emulator is probed once
        pair.theirs.destroy()
        for _ in range(_ROUNDS // 4):
            mine = _timed(lambda: pair.start(paused=False))
            ours.changes.destroy("vm")
            times.append((mine, _timed(lambda: pair.start_theirs(paused=False))))
            pair.theirs.destroy()
    mine, its = (min(each) for each in zip(*times, strict=True))
    return [Row("start of a domain, to running", mine, its)]


class _Clock(NamedTuple):
    """Times of one thing in seconds: on the wall, and of the processors."""

    wall: float
    processor: float


class _Times:
    """What one change took, ours and theirs, and the wait that is in both."""

    def __init__(self, daemon: int) -> None:
        self._daemon = daemon
        self._ours: list[_Clock] = []
        self._theirs: list[_Clock] = []
        self._waits: list[float] = []

    def take(
        self,
        mine: Callable[[], object],
        its: Callable[[], object],
        wait: Callable[[], object] | None = None,
    ) -> None:
        """Time each once."""
        self._ours.append(self._clocked(mine))
        self._theirs.append(self._clocked(its))
        if wait is not None:
            self._waits.append(_timed(wait))

    def _clocked(self, action: Callable[[], object]) -> _Clock:
        of_daemon = spent.of_process(self._daemon)  # asking takes time of our own, not counted
        own = time.process_time()
        wall = _timed(action)
        own = time.process_time() - own
        return _Clock(wall, own + spent.of_process(self._daemon) - of_daemon)

    def rows(self, what: str, waited_for: str = "") -> Iterator[Row]:
        """Give the least of each: a busy host makes the others longer."""
        mine, its = (
            _Clock(*(min(each) for each in zip(*clocks, strict=True)))
            for clocks in (self._ours, self._theirs)
        )
        yield Row(what, mine.wall, its.wall)
        if self._waits:
            wait = min(self._waits)
            left = its.wall - wait
            yield Row(
                f"the same, less the wait for {waited_for}",
                max(mine.wall - wait, 0.0), left if left > 0 else None, f"{wait * 1e3:.1f} ms",
            )  # fmt: skip
        yield Row("the same, processor time", mine.processor, its.processor)


def _changes(ours: Manager, theirs: Libvirtd, emulator: str, folder: Path) -> list[Row]:
    """Attach to both definitions, one DIMM after the other, and detach them again."""
    (folder / "guest.rom").write_bytes(hotplug_guest())
    both = Targets(live=True, config=True)
    attaches, detaches = _Times(theirs.process), _Times(theirs.process)
    with pair_of(ours, theirs, emulator, guest=folder) as pair:
        pair.start(paused=False)
        pair.start_theirs(paused=False)
        for each in ("ours", "theirs"):
            _ready(folder / each)
        found = ours.store.running("vm")
        assert found is not None
        client = Client(found.look)
        for turn in range(_ROUNDS):
            attaches.take(
                lambda: ours.changes.attach("vm", DIMM.encode(), both),
                lambda: pair.theirs.attachDeviceFlags(DIMM, _BOTH),
                lambda turn=turn: _bare(client, turn),
            )
        for turn in range(_ROUNDS):
            detaches.take(
                lambda: ours.changes.detach("vm", DIMM.encode(), both),
                lambda: pair.theirs.detachDeviceFlags(DIMM, _BOTH),
                lambda turn=turn: _bare_detach(client, turn),
            )
        assert ours.info("vm").memory_devices == 0
        assert "<memory model" not in pair.theirs.XMLDesc()
        client.close()
    return [
        *attaches.rows("attach a DIMM, live and stored", "QEMU"),
        *detaches.rows("detach it, live and stored", "QEMU and the guest"),
    ]


def _ready(told: Path) -> None:
    """Wait for a guest that takes part."""
    deadline = time.monotonic() + _READY_S
    while not (told.exists() and b"ready" in told.read_bytes()):
        assert time.monotonic() < deadline, "the guest does not come up"
        time.sleep(0.05)


def _bare(client: Client, turn: int) -> None:
    """Send the same four commands with nothing around them, of a device of their own."""
    backend = {"qom-type": "memory-backend-ram", "id": f"bare{turn}", "size": 128 << 20}
    client.ask("object-add", **backend)
    client.ask(
        "device_add", driver="pc-dimm", id=f"b{turn}", memdev=f"bare{turn}", node=0, slot=100 + turn
    )
    client.ask("query-memory-devices")
    client.ask("qom-list", path="/machine/peripheral")


def _bare_detach(client: Client, turn: int) -> None:
    """Ask for that device with nothing around it, as they do."""
    client.ask("device_del", id=f"b{turn}")
    client.hear("DEVICE_DELETED", device=f"b{turn}")
    client.ask("object-del", id=f"bare{turn}")
    client.ask("qom-list", path="/machine/peripheral")
