"""Who is reading, and how an updater waits until they have left.

Each thread has one list, ``held``, with one entry for each read section that it has open. To enter
appends an entry, to leave pops one: two operations on a list that belongs to the thread, so that
readers share nothing that they write and never wait for each other or for an updater.

A grace period publishes a queue for reports, then copies every thread's list. A thread whose
list is empty has no section open. Any other thread has, and is waited for until it reports, which
each thread does when it leaves an outermost section and finds a queue published. One report for
each queue is enough: it says "since you began to wait there was a moment when I held nothing".
What the thread enters after that moment is not waited for, so readers that come and go without
end cannot hold up an updater. A thread that dies, inside a section or outside, loses its
thread-local data; a weak reference to a part of that data takes the thread off the register and
reports for it.

Why this is right without a global interpreter lock
---------------------------------------------------
QEMU's algorithm (util/rcu.c) orders "I am reading" against "you have removed it" with memory
barriers. Python has no barriers. It has objects whose operations exclude each other: on
free-threaded builds ``list.append``, ``list.pop``, ``list.copy``, ``dict.copy`` and
``SimpleQueue.put`` each hold the lock of their object ("Thread safety", *Python support for
free threading*), and a lock orders all that came before its release before all that comes after
its next acquisition. With a global lock the same order is trivial. Every step below rests on two
threads having used one such object, in one order or the other.

1. *A reader is seen, or sees the removal.* The updater has removed the data; then it copies
   ``held``. If the reader's append came first, the copy holds the entry, and the reader is waited
   for. If the copy came first, the reader's loads come after its append, hence after the copy,
   hence after the removal: it finds the new data and need not be waited for. The same holds for
   a thread's entry into the register and the copy of the register.
2. *No report is lost.* The queue is published before the copy. When a copy holds a section, the
   pop that ends it comes after the copy, hence after the publication, so the thread, which looks
   for a queue after its pop, finds this one. It cannot have been withdrawn: its grace period
   waits for this very report.
3. *A report is never too early.* A thread that reports found the queue, which was made after the
   removal; what it enters next comes after its put. The updater itself has put something into the
   queue before it published it, so the queue's lock orders the removal before the reader's put,
   and with it before everything that the reader loads later.
4. *Reclamation comes after the last use.* What a reader did in its section precedes its pop. The
   updater has either copied ``held`` after that pop, or taken the report that was put after it.

Last, the publication itself (:class:`~guestmap.rcu.RcuCell`): storing a reference in a slot and
loading it elsewhere must show the loader an object that is complete. Free-threaded builds store
references with release order, because their own safety depends on it.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue

from guestmap.base import StateError

Held = list[None]
Reports = SimpleQueue[Held | None]


class ReadSection:
    """One thread's read section; a context manager that nests and is used again and again.

    It belongs to the thread that asked for it (:meth:`guestmap.rcu.Rcu.read_section`). No other
    thread may use it. A loop that enters a million times keeps it in a local variable.
    """

    __slots__ = ("__enter__", "_readers", "_reported", "held")

    __enter__: Callable[[], None]
    """Kept for each object, as what is called in the end: a method of the class costs a fifth of
    the whole section."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers
        self._reported: Reports | None = None
        self.held: Held = []
        self.__enter__ = partial(self.held.append, None)

    def enter(self) -> None:
        """Begin to read; until the matching :meth:`leave` nothing found here is reclaimed."""
        self.held.append(None)

    def leave(self, _kind: object = None, _error: object = None, _trace: object = None) -> None:
        """End what the last :meth:`enter` began.

        Raises:
            StateError: this thread has no section open.
        """
        held = self.held
        try:
            held.pop()
        except IndexError:
            raise StateError(
                "this thread leaves a read section that it has not entered: "
                "sections end in the thread that began them, once"
            ) from None
        finally:
            # After the pop (step 2 of the module's argument), and also when a signal handler
            # raised between the two: a report that is missing would be waited for.
            if self._readers.reports is not None and not held:
                self._report(self._readers.reports)

    __exit__ = leave

    def _report(self, reports: Reports | None) -> None:
        """Tell whoever waits, once for each grace period, that this thread holds nothing."""
        if reports is not None and reports is not self._reported:
            self._reported = reports
            reports.put(self.held)


class Anchor:
    """A thing that only one thread's local data holds: it dies with the thread."""

    __slots__ = ("__weakref__",)


class ThreadState(threading.local):
    """What a thread has in one domain; made on its first use of the domain.

    Attributes:
        section: the thread's read section.
    """

    def __init__(self, readers: Readers) -> None:
        # Nobody else may hold the anchor, not even for a moment: its end is the thread's end.
        self._anchor = Anchor()
        self.section = ReadSection(readers)
        readers.register(self._anchor, self.section.held)


class Readers:
    """The register of threads, and the grace period.

    Attributes:
        reports: where threads report during a grace period; None at all other times.
        grace_periods: how many have ended.
        blocked_by: how many threads the present grace period still waits for.
    """

    __slots__ = ("_one_at_a_time", "_threads", "blocked_by", "grace_periods", "reports")

    def __init__(self) -> None:
        self._threads: dict[weakref.ref[Anchor], Held] = {}
        self._one_at_a_time = threading.Lock()
        self.reports: Reports | None = None
        self.grace_periods = 0
        self.blocked_by = 0

    def __len__(self) -> int:
        return len(self._threads)

    def register(self, anchor: Anchor, held: Held) -> None:
        """Add a thread; it leaves the register when ``anchor`` dies."""
        self._threads[weakref.ref(anchor, self._forget)] = held

    def _forget(self, thread: weakref.ref[Anchor]) -> None:
        """Strike a dead thread off, and report for it: it reads no more."""
        held = self._threads.pop(thread)
        reports = self.reports
        if reports is not None:
            reports.put(held)

    def wait(self) -> None:
        """Return when every section that was open at the call has been left."""
        with self._one_at_a_time:
            reports: Reports = SimpleQueue()
            reports.put(None)  # hands the queue's lock on to the readers: step 3
            self.reports = reports
            try:
                self._collect(reports)
            finally:
                self.blocked_by = 0
                self.reports = None
            self.grace_periods += 1

    def _collect(self, reports: Reports) -> None:
        """Take reports until each thread that had a section open has sent one."""
        # Keyed by identity: equal lists are not the same thread. The values keep the keys valid.
        ongoing = {id(held): held for held in self._threads.copy().values() if held.copy()}
        while ongoing:
            self.blocked_by = len(ongoing)
            ongoing.pop(id(reports.get()), None)
