"""Many domains, and several clients of one manager at once.

Of the time of both much is the machines' own; what that alone would take of the host's processors
is a row of its own: nobody can be faster. Of several turns the least is told, for both: a busy host
makes the others longer.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.support.libvirtd import Libvirtd

from benchmarks import spent
from benchmarks.domain_pair import DIMM, pair_of
from benchmarks.table import Row
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager

_MANY = 50
_CLIENTS = 8
_TURNS = 7
_BOTH = 3


def in_parallel(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    """Attach a DIMM to 50 domains, live and stored, eight clients at a time."""
    with ExitStack() as stack:
        names = [f"vm{os.getpid()}-{number}" for number in range(_MANY)]  # nobody else's
        domains: dict[str, Any] = {}
        for name in names:
            pair = stack.enter_context(pair_of(ours, theirs, emulator, name))
            pair.start()
            pair.start_theirs()
            domains[name] = pair.theirs
        found = _machines(names)
        own = {at.process.number for name in names if (at := ours.store.running(name))}
        both, document = Targets(live=True, config=True), DIMM.encode()
        sides = [
            _Side(lambda name: ours.changes.attach(name, document, both), own),
            _Side(
                lambda name: domains[name].attachDeviceFlags(DIMM, _BOTH), found - own,
                theirs.process,
            ),
        ]  # fmt: skip
        for _ in range(_TURNS):
            for each in sides:
                each.take(names)
        walls, works, machines = zip(*(each.least() for each in sides), strict=True)
    what = f"attach to {_MANY} domains, {_CLIENTS} clients at a time"
    processors = len(os.sched_getaffinity(0))
    return [
        Row(what, *walls),
        Row(
            f"the same, if QEMU alone did anything, on {processors} processors",
            min(machines) / processors, walls[1], "less is not possible",
        ),
        Row("the same, processor time besides QEMU's", *works),
    ]  # fmt: skip


class _Side:
    """What one manager needed, turn by turn: ours is in this process, libvirt's client, too."""

    def __init__(
        self, action: Callable[[str], object], machines: set[int], daemon: int | None = None
    ) -> None:
        self._action = action
        self._machines = machines
        self._daemon = daemon
        self._turns: list[tuple[float, float, float]] = []

    def take(self, names: list[str]) -> None:
        """Have it done to each domain, several at a time."""
        of_daemon, of_machines = self._spent()
        own, start = time.process_time(), time.perf_counter()
        with ThreadPoolExecutor(_CLIENTS) as pool:
            for done in [pool.submit(self._action, name) for name in names]:
                done.result()
        wall, own = time.perf_counter() - start, time.process_time() - own
        daemon, machines = self._spent()
        self._turns.append((wall, own + daemon - of_daemon, machines - of_machines))

    def _spent(self) -> tuple[float, float]:
        daemon = 0.0 if self._daemon is None else spent.of_process(self._daemon)
        return daemon, sum(map(spent.of_process, self._machines))

    def least(self) -> tuple[float, float, float]:
        """Return seconds: on the wall, of processors, of processors that QEMU had."""
        wall, work, machines = (min(each) for each in zip(*self._turns, strict=True))
        return wall, work, machines


def _machines(names: list[str]) -> set[int]:
    """Return the processes that are machines of these domains, whoever started them."""
    wanted = {f"guest={name},".encode() for name in names}
    found = set()
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = each.read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if any(word.startswith(tuple(wanted)) for word in words):
            found.add(int(each.parent.name))
    return found
