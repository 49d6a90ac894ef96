"""Many domains, and several clients at once: each a process of its own, as commands of people are.

With fewer processors than clients the machines themselves are what most time goes to, whoever
manages them; so what they need is a row of its own: nobody can be faster.
"""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.queues import Queue
from pathlib import Path

from tests.support.libvirtd import Libvirtd, client_module

from benchmarks import spent
from benchmarks.domain_pair import DIMM, pair_of
from benchmarks.table import Row
from guestmap.base import GuestmapError
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.store.store import Store

_MANY = 50
_CLIENTS = 8
_TURNS = 5
_BOTH = 3
_PATIENCE_S = 120.0


def in_parallel(ours: Manager, theirs: Libvirtd, emulator: str) -> list[Row]:
    """Attach a DIMM to 50 domains, live and stored, eight clients at a time."""
    with ExitStack() as stack:
        names = [f"vm{number}" for number in range(_MANY)]
        for name in names:
            pair = stack.enter_context(pair_of(ours, theirs, emulator, name))
            pair.start()
            pair.start_theirs()
        found = _machines(names)
        own = {at.process.number for name in names if (at := ours.store.running(name))}
        store = ours.store
        mine = stack.enter_context(_clients(_ours, str(store.config), str(store.run)))
        its = stack.enter_context(_clients(_theirs, theirs.uri))
        sides = [_Side(mine, own), _Side(its, found - own, theirs.process)]
        for each in sides:
            each.begin(names)
        for _ in range(_TURNS):
            for each in sides:
                each.take(names)
        walls, works, machines = zip(*(each.medians() for each in sides), strict=True)
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


class _Clients:
    """Processes that do the same, each to domains of its own."""

    def __init__(self, processes: list[int], names: list[Queue[str]], done: Queue[str]):
        self.processes = processes
        self._names = names
        self._done = done

    def all_of(self, names: list[str]) -> None:
        """Have it done to each of these."""
        for number, name in enumerate(names):
            self._names[number % len(self._names)].put(name)
        for _ in names:
            trouble = self._done.get(timeout=_PATIENCE_S)
            assert not trouble, trouble


class _Side:
    """What one manager needed, turn by turn."""

    def __init__(self, clients: _Clients, machines: set[int], daemon: int | None = None) -> None:
        self._clients = clients
        self._machines = machines
        self._managing = [*clients.processes, *([daemon] if daemon else [])]
        self._turns: list[tuple[float, float, float]] = []

    def begin(self, names: list[str]) -> None:
        """Have it done once that does not count: clients get to know their domains."""
        self._clients.all_of(names)

    def take(self, names: list[str]) -> None:
        """Have it done once."""
        before = [sum(map(spent.of_process, each)) for each in (self._managing, self._machines)]
        start = time.perf_counter()
        self._clients.all_of(names)
        wall = time.perf_counter() - start
        after = [sum(map(spent.of_process, each)) for each in (self._managing, self._machines)]
        self._turns.append((wall, after[0] - before[0], after[1] - before[1]))

    def medians(self) -> tuple[float, float, float]:
        """Return seconds: on the wall, of processors, of processors that QEMU had."""
        wall, work, machines = (statistics.median(each) for each in zip(*self._turns, strict=True))
        return wall, work, machines


@contextmanager
def _clients(role: Callable[..., None], *words: str) -> Iterator[_Clients]:
    """Run clients for the time of a ``with``; they are ready when it is entered."""
    context = multiprocessing.get_context("spawn")
    names: list[Queue[str]] = [context.Queue() for _ in range(_CLIENTS)]
    done: Queue[str] = context.Queue()
    processes = [
        context.Process(target=role, args=(each, done, *words), daemon=True) for each in names
    ]
    try:
        for each in processes:
            each.start()
        for _ in processes:
            done.get(timeout=_PATIENCE_S)
        yield _Clients([each.pid for each in processes if each.pid], names, done)
    finally:
        for each in processes:
            each.terminate()
            each.join()


def _ours(names: Queue[str], done: Queue[str], config: str, run: str) -> None:
    manager = Manager(Store(Path(config), Path(run)))
    both = Targets(live=True, config=True)
    _serve(
        names, done, lambda name: manager.changes.attach(name, DIMM.encode(), both), GuestmapError
    )


def _theirs(names: Queue[str], done: Queue[str], uri: str) -> None:
    libvirt = client_module()
    connection = libvirt.open(uri)

    def action(name: str) -> None:
        connection.lookupByName(name).attachDeviceFlags(DIMM, _BOTH)

    _serve(names, done, action, libvirt.libvirtError)


def _serve(
    names: Queue[str],
    done: Queue[str],
    action: Callable[[str], object],
    refusal: type[Exception],
) -> None:
    """Do it to whichever domain comes next; whoever waits is told of a refusal."""
    done.put("ready")
    while True:
        name = names.get()
        try:
            action(name)
        except refusal as error:
            done.put(repr(error))
        else:
            done.put("")


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
