"""Many jobs through a cluster, a few at a time: results come as they are done, and are let go of.

No more are under way than the workers can take up, and of one host no more than it is to bear; so
neither the scheduler nor the client holds more than that, whatever the fleet's size. A job whose
worker has gone costs itself, never the run.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from guestmap.fleet.inventory import FleetMachine

if TYPE_CHECKING:
    from distributed import Client, Future

_LOOK_S = 0.5
_WORKERS_S = 2.0
_KEEPS_COMING = 3.0
"""A job is given up after so many times what it may take: it may wait for others before."""
_GRACE_S = 15.0


@dataclass(frozen=True, slots=True)
class Job:
    """Machines that go to a worker together; ``host`` is theirs, "" where it does not matter.

    Attributes:
        limit_s: seconds that it may take; then its worker is taken for gone.
        is_local: its sources mean something on their host alone: sockets, files.
    """

    machines: tuple[FleetMachine, ...]
    host: str = ""
    limit_s: float = 60.0
    is_local: bool = False


@dataclass(frozen=True, slots=True)
class Lost:
    """Why a job has no result; ``was_sent``: somebody may have begun it."""

    reason: str
    was_sent: bool = True


@dataclass(slots=True)
class _Running:
    """A job under way: until when, and on which workers alone; None: on any."""

    job: Job
    until: float
    workers: list[str] | None


class Stream:
    """Runs jobs.

    Args:
        client: of the cluster.
        function: what is done with a job's machines; it is called as ``function(machines, *args)``
            in a worker, and its module must be installed there.
        args: more arguments.
        per_host: jobs under way on one host at most.
        everywhere: each worker is on the host of every machine: that of a cluster of our own.
        ahead: jobs that are sent for each thread of the workers: one that runs, one that waits.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[..., Any],
        *args: Any,
        per_host: int = 4,
        everywhere: bool = True,
        ahead: int = 2,
    ) -> None:
        self._client = client
        self._function = function
        self._args = args
        self._per_host = per_host
        self._everywhere = everywhere
        self._ahead = ahead
        self._is_stopped = False
        self._workers: dict[str, list[str]] = {}
        self._addresses: set[str] = set()
        self._threads = 0
        self._asked_at = float("-inf")
        self._done: SimpleQueue[Future] = SimpleQueue()
        self._running: dict[Future, _Running] = {}
        self._busy: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        self._waiting: dict[str, deque[Job]] = {}
        self._unsent: list[tuple[Job, str]] = []

    def run(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Any]]:
        """Yield each job with what came of it, or with :class:`Lost`; as they end.

        Whoever stops taking ends the run: what is under way is cancelled.
        """
        coming = iter(jobs)
        try:
            while self._fill(coming):
                yield from self._ended()
        finally:
            left, self._running = list(self._running), {}
            if left and self._client.status == "running":
                self._client.cancel(left, force=True)

    def stop(self) -> None:
        """Begin no more; what is under way comes to its end."""
        self._is_stopped = True

    def saw(self, host: str, *, answers: bool) -> None:
        """Learn whether a machine of a host answered.

        Where as many in a row did not as are asked at two times, the host is given up: each of its
        machines would cost the whole patience, and a host may have hundreds.
        """
        self._silent[host] = 0 if answers or not host else self._silent[host] + 1

    def _is_given_up(self, host: str) -> bool:
        return self._silent[host] >= 2 * self._per_host

    def _fill(self, coming: Iterator[Job]) -> bool:
        """Send what may be sent; tell whether anything is under way."""
        self._look_at_workers()
        room = max(1, self._ahead * self._threads) - len(self._running)
        while room > 0 and (job := self._next(coming)) is not None:
            self._send(job)
            room -= 1
        return bool(self._running or self._unsent)

    def _look_at_workers(self) -> None:
        """Learn which workers there are, now and then: some come, some go."""
        now = time.monotonic()
        if now < self._asked_at + _WORKERS_S:
            return
        self._asked_at = now
        # A scheduler that has gone tells nothing, or raises; what is under way will tell of that.
        with suppress(OSError, KeyError):
            workers = self._client.scheduler_info(n_workers=-1)["workers"]
            self._threads = sum(each["nthreads"] for each in workers.values())
            self._workers = by_name(workers)
            self._addresses = set(workers)

    def _next(self, coming: Iterator[Job]) -> Job | None:
        if self._is_stopped:
            return None
        for host, queue in self._waiting.items():
            if queue and self._has_room(host):
                return queue.popleft()
        for job in coming:
            if self._has_room(job.host):
                return job
            self._waiting.setdefault(job.host, deque()).append(job)
        return None

    def _has_room(self, host: str) -> bool:
        return not host or self._busy[host] < self._per_host

    def _send(self, job: Job) -> None:
        if self._client.status != "running":
            self._unsent.append((job, "the scheduler has gone"))
            return
        if self._is_given_up(job.host):
            many = self._silent[job.host]
            why = f"the host is given up: {many} of its machines in a row did not answer"
            self._unsent.append((job, why))
            return
        if not self._everywhere and job.is_local and job.host and job.host not in self._workers:
            why = f"no worker is named {job.host!r} (dask worker --name {job.host})"
            self._unsent.append((job, why))
            return
        workers = self._workers.get(job.host)
        future = self._client.submit(
            self._function,
            job.machines,
            *self._args,
            key=f"fleet-{uuid4().hex}",
            workers=workers,
            retries=0,
        )
        until = time.monotonic() + _KEEPS_COMING * job.limit_s + _GRACE_S
        self._running[future] = _Running(job, until, workers)
        self._busy[job.host] += 1
        future.add_done_callback(self._done.put)

    def _ended(self) -> Iterator[tuple[Job, Any]]:
        """Yield what has ended by now; wait a little for something to."""
        unsent, self._unsent = self._unsent, []
        yield from ((job, Lost(why, was_sent=False)) for job, why in unsent)
        if not self._running:
            return
        try:
            futures: Sequence[Future] = [self._done.get(timeout=_LOOK_S)]
        except Empty:
            futures = [each for each, one in self._running.items() if self._is_lost(one)]
        for future in futures:
            running = self._running.pop(future, None)
            if running is not None:
                self._busy[running.job.host] -= 1
                yield running.job, _result_of(future)

    def _is_lost(self, one: _Running) -> bool:
        """Tell whether nobody will do it any more: its time is over, or its only workers are."""
        if one.workers is not None and self._addresses.isdisjoint(one.workers):
            return True
        return one.until < time.monotonic()


def _result_of(future: Future) -> Any:
    """Return what a future holds, and let go of it."""
    try:
        if future.status == "finished":
            return future.result()
        if future.status == "error":
            return Lost(f"the worker could not do it: {type(future.exception()).__name__}")
        if future.status == "pending":
            future.cancel(force=True)
            return Lost("the worker that had it does not answer")
        return Lost("the scheduler has gone, or the work was cancelled")
    except Exception as error:  # noqa: BLE001 -- a cluster that ends now may say anything
        return Lost(f"the cluster does not tell: {type(error).__name__}")
    finally:
        future.release()


def by_name(workers: Mapping[str, Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return workers' addresses by their names, and by what is before a slash in these.

    A worker that is started on a host with ``--name HOST`` (or ``HOST/1``, ``HOST/2``) does the
    work of that host's machines.

    Args:
        workers: what a scheduler tells of each, by address.
    """
    found: dict[str, list[str]] = {}
    for address, facts in workers.items():
        name = str(facts.get("name", ""))
        for each in {name, name.partition("/")[0]}:
            found.setdefault(each, []).append(address)
    return found
