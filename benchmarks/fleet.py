"""A fleet audited on two cores: beside one process, beside its own processor time, and as it grows.

The recorded machines are those of :mod:`tests.support.fleet_generator`, each map another one.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import NamedTuple

import psutil
from tests.support.fleet_generator import write_fleet
from tests.support.fleet_hosts import Machines

from benchmarks.qemu import PROGRAM
from benchmarks.spent import of_process
from benchmarks.table import Row
from guestmap.fleet import ClusterSettings, FleetInventory, FleetMachine, opened, read_inventory
from guestmap.fleet.audit import audit
from guestmap.fleet.look import LookOptions, look_at
from guestmap.fleet.tally import Tally

RECORDED, MOST, FEWEST, LIVE, CORES = 5_000, 20_000, 100, 40, 2
TIMES = 5
"""Audits of the live ones, of less than a second each."""
_KEPT = 500
"""Files: more machines have the same again, each read and looked at anew."""


class Audited(NamedTuple):
    """What an audit took: seconds by the clock and of processors; bytes that the client grew by."""

    wall: float
    processors: float
    grown: int


def rows() -> list[Row]:
    """Return the rows."""
    with tempfile.TemporaryDirectory() as folder, _cluster() as run:
        machines = _machines(write_fleet(Path(folder), _KEPT))
        few = list(islice(machines, FEWEST))
        run(few)  # what is imported once is not the machines' cost
        small = run(few)
        recorded = list(islice(cycle(machines), RECORDED))
        first = _alone(recorded[::2])
        many = run(recorded)
        second = _alone(recorded[1::2])  # half before, half after: the host's load changes
        most = run(list(islice(cycle(machines), MOST)))
        measured = [
            Row(f"{RECORDED:,} recorded machines, {CORES} workers", many.wall,
                first.wall + second.wall, "peer: one process; aim: below 0.59"),
            Row(f"the same, processor time by {CORES}", many.processors / CORES,
                first.processors + second.processors, "what two idle cores would make of it"),
            Row(f"a machine of {MOST:,} (processor time)", most.processors / MOST,
                small.processors / FEWEST,
                f"peer: one of {FEWEST}; the client grew by {most.grown / 2**20:.0f} MiB"),
        ]  # fmt: skip
        return measured + _live_rows(run)


def _live_rows(run: _Run) -> list[Row]:
    if PROGRAM is None:
        return []
    with tempfile.TemporaryDirectory() as folder:
        machines = Machines(Path(folder))
        try:
            sources = [f"unix:{folder}/vm{number}" for number in range(LIVE)]
            for number, source in enumerate(sources):
                machines.start(str(number), source)
            fleet = [FleetMachine(each, each) for each in sources]
            while not all(Path(each.removeprefix("unix:")).exists() for each in sources):
                time.sleep(0.1)
            run(fleet)
            numbers = [each.pid for each in machines.processes.values()]
            took = [_beside_processors(run, fleet, numbers) for _ in range(TIMES)]
        finally:
            machines.close()
    wall, spent = sorted(took, key=lambda each: each[0] / each[1])[TIMES // 2]
    return [
        Row(f"{LIVE} live QEMUs", wall, spent,
            f"peer: all processor time, by {CORES}; median of {TIMES}; aim: below 1.3")
    ]  # fmt: skip


def _beside_processors(
    run: _Run, fleet: Sequence[FleetMachine], numbers: Sequence[int]
) -> tuple[float, float]:
    """Return the seconds of an audit, and the processor time of all, QEMUs too, by cores."""
    before = sum(map(of_process, numbers))
    took = run(fleet)
    asked = sum(map(of_process, numbers)) - before
    return took.wall, (took.processors + asked) / CORES


class _Run:
    """Audits machines on a cluster that is there."""

    def __init__(self, client: object) -> None:
        self._client = client

    def __call__(self, machines: Sequence[FleetMachine]) -> Audited:
        renamed = (FleetMachine(f"m{n}", each.source) for n, each in enumerate(machines))
        inventory = FleetInventory(tuple(renamed))
        tally = Tally()
        grown, wall, spent = _resident(), time.perf_counter(), _processors()
        for each in audit(self._client, inventory, LookOptions(), per_host=LIVE):  # type: ignore[arg-type]
            assert each.is_ok, each
            tally.add(each)
        assert tally.machines == len(machines)
        took = time.perf_counter() - wall
        return Audited(took, _processors() - spent, max(0, _resident() - grown))


@contextmanager
def _cluster() -> Iterator[_Run]:
    with opened(ClusterSettings(workers=CORES)) as client:
        yield _Run(client)


def _machines(folder: Path) -> list[FleetMachine]:
    return list(read_inventory([str(folder)]))


def _alone(machines: Sequence[FleetMachine]) -> Audited:
    """Return what one process takes for the same, without any cluster."""
    start, spent = time.perf_counter(), time.process_time()
    tally = Tally()
    for each in machines:
        tally.add(look_at(each, LookOptions()))
    return Audited(time.perf_counter() - start, time.process_time() - spent, 0)


def _processors() -> float:
    """Return the processor time of this process, its scheduler's, and its workers'."""
    # A worker's threads come and go with the machines, so those that have ended count, too.
    workers = (each.cpu_times() for each in psutil.Process().children(recursive=True))
    return time.process_time() + sum(each.user + each.system for each in workers)


def _resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
