"""What is done with domains that run: started, ended, given memory, relieved of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.domain.change.attach import attach
from guestmap.domain.change.attach_plan import plan_attach, read_device
from guestmap.domain.change.balloon import set_memory
from guestmap.domain.change.detach import detach, plan_detach, plan_detach_alias
from guestmap.domain.change.link import held
from guestmap.domain.change.power import MachineChanges
from guestmap.domain.change.removal import WAIT_S
from guestmap.domain.change.update import plan_update, update
from guestmap.domain.rules.errors import DomainError, Speaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.change.targets import Targets
    from guestmap.domain.change.which import Which
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True, slots=True)
class Detached:
    """What came of detaching: the device is gone, or the guest has not let go of it yet."""

    alias: str
    is_gone: bool


class Changes(MachineChanges):
    """The changes of domains: of machines, and of memory in them and in stored definitions."""

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
