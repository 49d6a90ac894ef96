"""What is done with domains that run: started, ended, given memory, relieved of it.

Each is one job of its domain, and begins with what the last one left.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base.interrupt import Deferral
from guestmap.domain.change import ending
from guestmap.domain.change.attach import attach
from guestmap.domain.change.attach_plan import plan_attach, read_device
from guestmap.domain.change.balloon import set_memory
from guestmap.domain.change.detach import detach, plan_detach, plan_detach_alias
from guestmap.domain.change.link import held, linked
from guestmap.domain.change.recovery import recover
from guestmap.domain.change.removal import WAIT_S
from guestmap.domain.change.start import start
from guestmap.domain.change.update import plan_update, update
from guestmap.domain.rules.errors import DomainError, Speaker, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.change.start import Started
    from guestmap.domain.change.targets import Targets
    from guestmap.domain.change.which import Which
    from guestmap.domain.events.log import EventLog
    from guestmap.domain.listen import Pace
    from guestmap.domain.store.status import Status
    from guestmap.domain.store.store import Store
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True, slots=True)
class Detached:
    """What came of detaching: the device is gone, or the guest has not let go of it yet."""

    alias: str
    is_gone: bool


class Changes:
    """The changes of domains.

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

    def attach(
        self,
        name: str,
        document: bytes,
        targets: Targets,
        *,
        force: bool = False,
        check: Callable[[], None] | None = None,
    ) -> MemoryDef:
        """Attach a memory device; return it as it is now.

        Args:
            name: the domain.
            document: the device.
            targets: where to.
            force: do it even where the guest gets nothing of it.
            check: raises where it is not to be done after all; called when nobody else can change
                the domain any more.

        Raises:
            DomainError: it is refused, and everything is as before; says who refused.
            HostError: what changed cannot be saved; says what is so.
        """
        with self._job(name, "attach-device") as (stored, running):
            if check is not None:
                check()
            to = targets.effective(stored, running, self._store.dialect)
            wanted = read_device(document, self._store.dialect)
            machine = running if to.live else None
            with held(machine) as link:
                plan = plan_attach(stored if to.config else None, machine, wanted, force=force)
                status = attach(self._store, link, plan)
        if status is None or plan.live is None:
            return wanted if plan.config is None else plan.config.devices[-1]
        alias = plan.live.alias or ""
        self._log.tell("device-added", name, alias)
        return next(each for each in status.definition.devices if each.alias == alias)

    def detach(
        self,
        name: str,
        document: bytes,
        targets: Targets,
        *,
        wait_s: float = WAIT_S,
        check: Callable[[], None] | None = None,
    ) -> Detached:
        """Detach the memory device that a document describes.

        Args:
            name: the domain.
            document: the device.
            targets: where from.
            wait_s: seconds that the guest has to let go.
            check: as of :meth:`attach`.

        Raises:
            DomainError: there is no such device, or the guest, or QEMU, refuses.
        """
        wanted = read_device(document, self._store.dialect, is_new=False)
        return self._detach(name, wanted, targets, wait_s, check)

    def detach_alias(
        self, name: str, alias: str, targets: Targets, *, wait_s: float = WAIT_S
    ) -> Detached:
        """Detach the memory device of a name; arguments and errors as of :meth:`detach`."""
        return self._detach(name, alias, targets, wait_s)

    def _detach(
        self,
        name: str,
        wanted: MemoryDef | str,
        targets: Targets,
        wait_s: float,
        check: Callable[[], None] | None = None,
    ) -> Detached:
        with self._job(name, "detach-device") as (stored, running):
            if check is not None:
                check()
            to = targets.effective(stored, running, self._store.dialect)
            machine = running if to.live else None
            definition = stored if to.config else None
            with held(machine) as link:
                plan = (
                    plan_detach_alias(definition, machine, wanted)
                    if isinstance(wanted, str)
                    else plan_detach(definition, machine, wanted)
                )
                alias = "" if plan.live is None else plan.live.alias or ""
                try:
                    is_gone = detach(self._store, link, plan, wait_s=wait_s)
                except DomainError as error:
                    if error.speaker is Speaker.GUEST:
                        self._log.tell("device-removal-failed", name, alias, reason=error.remedy)
                    raise
        if is_gone and machine is not None:
            self._log.tell("device-removed", name, alias)
        return Detached(alias, is_gone)

    def update(self, name: str, which: Which, requested: int, targets: Targets) -> None:
        """Request another size of a virtio-mem device.

        Args:
            name: the domain.
            which: the device.
            requested: KiB.
            targets: where.

        Raises:
            DomainError: there is no such device, or it cannot have that size.
        """
        self._update(name, which, requested, targets, "update-memory-device")

    def update_device(self, name: str, document: bytes, targets: Targets) -> None:
        """Have a virtio-mem device as a document describes it: another size is requested.

        Raises:
            DomainError: there is no such device, or something else of it would change.
        """
        wanted = read_device(document, self._store.dialect, is_new=False)
        self._update(name, wanted, wanted.requested or 0, targets, "update-device")

    def _update(
        self, name: str, which: Which | MemoryDef, requested: int, targets: Targets, verb: str
    ) -> None:
        with self._job(name, verb) as (stored, running):
            to = targets.effective(stored, running, self._store.dialect)
            machine = running if to.live else None
            plan = plan_update(stored if to.config else None, machine, which, requested)
            update(self._store, machine, plan)

    def set_memory(self, name: str, kib: int, targets: Targets) -> None:
        """Ask the guest, by its balloon, to have so much memory.

        Args:
            name: the domain.
            kib: KiB.
            targets: where.

        Raises:
            DomainError: it is more than there is, or there is no balloon.
        """
        with self._job(name, "setmem") as (stored, running):
            to = targets.effective(stored, running, self._store.dialect)
            set_memory(self._store, stored, running, kib, to)

    def _running(self, running: Status | None) -> Status:
        if running is None:
            raise refusal(self._store.dialect, "not-running", remedy="start it")
        return running
