"""What a fleet that nobody here has would take: a simulation of the audit's queues.

``python -m benchmarks.fleet_simulation`` prints the table of docs/fleet.md. The numbers it is made
from were measured (docs/fleet.md says where); what it leaves out is named there, too.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Costs:
    """Seconds for each machine, but for the last two.

    Attributes:
        scheduler: of Dask's scheduler and its client, one thread. client: of our own, for a record.
        worker: of a worker's core. answer: until a machine has answered, while the worker waits.
        patience: until one that is silent is given up. start: until the cluster stands.
    """

    scheduler: float = 0.0025
    client: float = 0.0001
    worker: float = 0.010
    answer: float = 0.057
    patience: float = 30.0
    start: float = 3.0


@dataclass(frozen=True)
class Setting:
    """A fleet, and who asks it; ``threads`` and ``cores`` are of all workers."""

    what: str
    machines: int = 100_000
    hosts: int = 500
    dead: int = 0
    threads: int = 8
    cores: int = 2
    per_host: int = 4
    gives_up: bool = True


@dataclass(frozen=True)
class Told:
    """Seconds; and the share of them for which scheduler, client and cores were busy."""

    seconds: float
    scheduler: float
    client: float
    cores: float


def simulate(setting: Setting, costs: Costs) -> Told:
    """Return what an audit takes: machines go by host in turn, as many at a time as may be."""
    each = setting.machines // setting.hosts
    left = [each] * setting.hosts
    busy, silent = [0] * setting.hosts, [0] * setting.hosts
    ready = deque(range(setting.hosts))
    running: list[tuple[float, int]] = []
    scheduler_free = client_free = costs.start
    cores = [costs.start] * setting.cores
    heapq.heapify(cores)
    spent_scheduler = spent_client = spent_cores = 0.0
    now = costs.start

    def limit(host: int) -> bool:
        given_up = setting.gives_up and silent[host] >= 2 * setting.per_host
        if given_up:
            left[host] = 0
        return left[host] > 0 and busy[host] < setting.per_host

    while True:
        skipped = 0
        while len(running) < 2 * setting.threads and ready and skipped < len(ready):
            host = ready.popleft()
            if not limit(host):
                if left[host]:
                    ready.append(host)
                    skipped += 1
                continue
            skipped = 0
            left[host] -= 1
            busy[host] += 1
            ready.append(host)
            scheduler_free = max(scheduler_free, now) + costs.scheduler
            spent_scheduler += costs.scheduler
            if host < setting.dead:
                end = scheduler_free + costs.patience
            else:
                core = max(heapq.heappop(cores), scheduler_free)
                heapq.heappush(cores, core + costs.worker)
                spent_cores += costs.worker
                end = core + costs.worker + costs.answer
            heapq.heappush(running, (end, host))
        if not running:
            break
        end, host = heapq.heappop(running)
        client_free = max(client_free, end) + costs.client
        spent_client += costs.client
        now = max(now, end)
        busy[host] -= 1
        silent[host] = silent[host] + 1 if host < setting.dead else 0
        if left[host] and host not in ready:
            ready.append(host)
    total = max(now, client_free)
    of_cores = total * setting.cores
    return Told(total, spent_scheduler / total, spent_client / total, spent_cores / of_cores)


SETTINGS = (
    Setting("2 cores in one place"),
    Setting("16 cores in one place", threads=64, cores=16),
    Setting("64 cores in one place", threads=256, cores=64),
    Setting("a worker on each host", threads=2000, cores=1000),
    Setting("16 cores, 5 hosts dead", threads=64, cores=16, dead=5),
    Setting("16 cores, 5 hosts dead, none given up", threads=64, cores=16, dead=5, gives_up=False),
    Setting("16 cores, 50 hosts dead", threads=64, cores=16, dead=50),
)


def main() -> None:
    """Print the table."""
    table = Table("", "time", "scheduler busy", "client busy", "cores busy")
    for each in SETTINGS:
        told = simulate(each, Costs())
        shares = (f"{share:.0%}" for share in (told.scheduler, told.client, told.cores))
        table.add_row(each.what, f"{told.seconds:,.0f} s", *shares)
    Console().print(table)


if __name__ == "__main__":
    main()
