"""The domain: one machine's readers, its grace periods and its reclaimer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVarTuple

from guestmap.base import StateError
from guestmap.base.dataclass import dataclass
from guestmap.rcu.readers import Readers, ReadSection, ThreadState
from guestmap.rcu.reclaimer import Reclaimer

Args = TypeVarTuple("Args")


@dataclass(frozen=True, slots=True)
class RcuStatistics:
    """A domain's counters at one moment.

    Attributes:
        threads: live threads that have used the domain; the one that made it has.
        grace_periods: grace periods that have ended.
        blocked_by: threads whose open sections the present grace period still waits for.
        queued: callbacks ever given to :meth:`Rcu.call`.
        ran: callbacks that have run, those that raised among them.
        failed: callbacks that raised.
        batches: grace periods that served callbacks; ``ran / batches`` is the gain of batching.
    """

    threads: int
    grace_periods: int
    blocked_by: int
    queued: int
    ran: int
    failed: int
    batches: int

    @property
    def pending(self) -> int:
        """How many callbacks have not run yet."""
        return self.queued - self.ran


class Rcu:
    """A read-copy-update domain; one for each machine, and two never meet.

    Threads need not register: a thread joins on its first use and leaves when it ends. One that
    ends inside a read section is taken to have left the section.

    All methods may be called from any thread. Those that wait (:meth:`synchronize`,
    :meth:`drain`, :meth:`close`) refuse to be called inside the caller's own read section, where
    they would wait for the caller. For the same reason a caller should hold no lock that a reader
    takes inside a section, and destructors and signal handlers, which may interrupt a wait, use
    :meth:`call` only.

    A domain that is dropped without :meth:`close` stops its reclaimer thread when the queued
    callbacks have run. The thread is a daemon: callbacks that are pending when the interpreter
    exits are lost. A forked child has no reclaimer: it makes a domain of its own.
    """

    __slots__ = ("__weakref__", "_local", "_readers", "_reclaimer", "name")

    def __init__(self, name: str = "rcu") -> None:
        self.name = name
        self._readers = Readers()
        self._local = ThreadState(self._readers)
        self._reclaimer = Reclaimer(self._readers.wait, name)

    def __repr__(self) -> str:
        return f"<Rcu {self.name}: {self.statistics()}>"

    def __del__(self, _ending: Callable[[], bool] = sys.is_finalizing) -> None:
        if not _ending():  # else the reclaimer stands still for good, perhaps with its lock
            self._reclaimer.stop()

    # The read side.

    def read_section(self) -> ReadSection:
        """Return the calling thread's read section, for ``with``. Sections nest."""
        return self._local.section

    def read_lock(self) -> None:
        """Enter a read section (QEMU's rcu_read_lock)."""
        self._local.section.held.append(None)

    def read_unlock(self) -> None:
        """Leave a read section (QEMU's rcu_read_unlock).

        Raises:
            StateError: this thread has no section open.
        """
        self._local.section.leave()

    @property
    def in_read_section(self) -> bool:
        """Whether the calling thread has a read section open."""
        return bool(self._local.section.held)

    # The updater's side.

    def synchronize(self) -> None:
        """Return when every read section that was open at the call has been left.

        Sections that begin during the wait do not extend it. Threads that call at the same time
        wait one after the other.

        Raises:
            StateError: the caller is inside a read section of its own.
        """
        self._refuse_in_section("synchronize")
        self._readers.wait()

    def call(self, func: Callable[[*Args], object], /, *args: *Args) -> None:
        """Run ``func(*args)`` after every read section that is open now has been left.

        Returns at once, and may be called inside a read section. Callbacks run in the reclaimer
        thread, in the order of the calls, many to one grace period. One that raises is reported
        through :func:`threading.excepthook` and does not keep the next from running.

        Raises:
            StateError: the domain is closed. The last callbacks before the close may still call.
            HostError: the host refused a thread for the reclaimer.
        """
        self._reclaimer.call(func, args)

    def drain(self) -> None:
        """Return when every callback queued before this call has run.

        Raises:
            StateError: the caller is inside a read section of its own, or is itself a callback.
        """
        self._refuse_in_section("drain")
        self._refuse_in_callback("drain")
        self._reclaimer.drain()

    def close(self) -> None:
        """Run what is queued, and what that queues, then end the reclaimer thread.

        Read sections and :meth:`synchronize` work on. Closing again does nothing.

        Raises:
            StateError: the caller is inside a read section of its own, or is itself a callback.
        """
        self._refuse_in_section("close")
        self._refuse_in_callback("close")
        self._reclaimer.stop()
        self._reclaimer.join()

    def statistics(self) -> RcuStatistics:
        """Return the counters; under load each is right, though not all at one instant."""
        readers, reclaimer = self._readers, self._reclaimer
        # Before `queued`, so that more can be queued than seen to run, never the other way.
        ran, failed = reclaimer.ran, reclaimer.failed
        return RcuStatistics(
            threads=len(readers),
            grace_periods=readers.grace_periods,
            blocked_by=readers.blocked_by,
            queued=reclaimer.queued,
            ran=ran,
            failed=failed,
            batches=reclaimer.batches,
        )

    def _refuse_in_section(self, method: str) -> None:
        if self._local.section.held:
            raise StateError(
                f"{self.name}: {method}() inside this thread's own read section would wait for "
                "itself: leave the section first, or defer the work with call()"
            )

    def _refuse_in_callback(self, method: str) -> None:
        if self._reclaimer.is_current_thread():
            raise StateError(
                f"{self.name}: {method}() from a callback would wait for that callback: "
                "queue what must come later with call()"
            )
