"""Jobs of domains, and those that are about a whole machine: it is started, reset, ended."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.base.interrupt import Deferral
from guestmap.domain.change import ending
from guestmap.domain.change.link import linked
from guestmap.domain.change.recovery import recover
from guestmap.domain.change.start import start
from guestmap.domain.rules.errors import refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.change.start import Started
    from guestmap.domain.events.log import EventLog
    from guestmap.domain.listen import Pace
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition


class MachineChanges:
    """The changes of domains' machines; each is one job, and begins with what the last one left.

    Args:
        store: where they are kept.
        log: who is told of them.
        pace: the time, of waiting for a job.
        allow: asked before each change, with the domain and the verb; raises what refuses it.
    """

    def __init__(
        self,
        store: Store,
        log: EventLog,
        pace: Pace,
        allow: Callable[[str, str], object] | None = None,
    ) -> None:
        self._store = store
        self._log = log
        self._pace = pace
        self._allow = allow

    @contextmanager
    def _job(
        self, name: str, verb: str, *, recovering: bool = True, told: bool = True
    ) -> Iterator[tuple[Definition | None, Status | None]]:
        """Hold a domain's job, and give what is so of the domain now."""
        self._store.refuse_unknown(name)
        if told and self._allow is not None:
            self._allow(name, verb)
        with Deferral(), self._store.job(name, verb, pace=self._pace):
            if recovering:
                running = recover(self._store, name, self._log)
            else:
                running = self._store.running(name)
            stored = self._store.definition(name)
            if stored is None and running is None:
                raise refusal(self._store.dialect, "no-domain", name=name)
            if told:
                self._log.tell("job", name, "started", verb=verb)
            try:
                yield stored, running
            finally:
                if told:
                    self._log.tell("job", name, "ended", verb=verb)

    def start(self, name: str, *, paused: bool = False) -> Started:
        """Start a domain's machine.

        Raises:
            DomainError: it runs already, or cannot be started; nothing of it is left then.
        """
        with self._job(name, "start") as (stored, running):
            if running is not None or stored is None:
                raise refusal(self._store.dialect, "already-active")
            found = start(self._store, stored, paused=paused)
        self._log.tell("lifecycle", name, "started", pid=found.status.process.number)
        return found

    def destroy(self, name: str, *, graceful: bool = True) -> None:
        """End a domain's machine at once, whether it answers or not."""
        with self._job(name, "destroy", recovering=False) as (_, running):
            ending.destroy(self._store, self._running(running), graceful=graceful)
        self._log.tell("lifecycle", name, "stopped", reason="destroyed")

    def shutdown(self, name: str) -> None:
        """Ask a domain's guest to shut down."""
        with self._job(name, "shutdown") as (_, running):
            ending.shutdown(self._running(running))

    def reset(self, name: str) -> None:
        """Reset a domain's machine."""
        with self._job(name, "reset") as (_, running):
            ending.reset(self._store, self._running(running))
        self._log.tell("lifecycle", name, "reset")

    def reconnect(self, name: str, *, refresh: bool = False) -> None:
        """Finish or undo what is left of a domain's last change, and see what its guest did.

        Args:
            name: the domain.
            refresh: take what its devices have now from the machine, too.
        """
        with self._job(name, "reconnect", told=False) as (_, running):
            if refresh and running is not None:
                with linked(running) as link:
                    self._store.save_status(link.refresh())

    def _running(self, running: Status | None) -> Status:
        if running is None:
            raise refusal(self._store.dialect, "not-running", remedy="start it")
        return running
