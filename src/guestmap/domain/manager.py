"""The domain manager: definitions, and the machines that run of them.

::

    manager = Manager(open_store())
    manager.define(Path("vm.xml").read_bytes())
    manager.changes.start("vm")
    manager.changes.attach("vm", b"<memory ...>...</memory>", Targets(live=True, config=True))

There is no daemon: every command finds a machine again by what is kept of it, and no end of ours
ends one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from guestmap.base import GuestmapError
from guestmap.domain.change.changes import Changes
from guestmap.domain.change.ending import forget
from guestmap.domain.change.update import described
from guestmap.domain.events.log import EventLog
from guestmap.domain.listen import Pace, RealPace
from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import OPERATION_INVALID
from guestmap.domain.xml.definition import parse_definition
from guestmap.domain.xml.edit import with_uuid
from guestmap.domain.xml.schema import check_schema
from guestmap.domain.xml.write import memory_xml
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.change.targets import Targets
    from guestmap.domain.change.which import Which
    from guestmap.domain.store.store import Store

SHUT_OFF = "shut off"
_ID = re.compile(r"[0-9]{1,9}")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


@dataclass(frozen=True, slots=True)
class Listed(Report):
    """One domain of a list.

    Attributes:
        id: its number among those that run; None: it does not.
        state: ``running``, ``paused``, ``shut off``.
        persistent: it has a stored definition.
        trouble: why it cannot be read; "" where it can.
    """

    name: str
    uuid: str
    id: int | None
    state: str
    persistent: bool
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Info(Report):
    """What ``dominfo`` tells; sizes in KiB."""

    id: int | None
    name: str
    uuid: str
    os_type: str
    state: str
    cpus: int
    max_memory: int
    used_memory: int
    memory_devices: int
    persistent: bool
    pending: tuple[str, ...]


class Manager:
    """Everything that is done with domains.

    Args:
        store: where they are kept.
        pace: the time.
        allow: asked before each change, with the domain and the verb; raises what refuses it.

    Attributes:
        changes: what is done with domains that run.
    """

    def __init__(
        self,
        store: Store,
        *,
        pace: Pace | None = None,
        allow: Callable[[str, str], object] | None = None,
    ) -> None:
        self.store = store
        self.pace = pace or RealPace()
        self.log = EventLog(store.run / "events.jsonl")
        self.changes = Changes(store, self.log, self.pace, allow)

    def define(self, data: bytes, *, validate: bool = False) -> str:
        """Store a definition, or another one of the same domain; return its name.

        Args:
            data: the document.
            validate: hold it to libvirt's schema too, where the distribution has it.

        Raises:
            DomainError: it is refused; nothing was changed.
            HostError: it cannot be written; nothing was changed.
        """
        found = parse_definition(data, self.store.dialect)
        if validate:
            check_schema(data)
        with self.store.job(found.name, "define", pace=self.pace):
            before = self.store.definition(found.name)
            known = None if before is None else before.uuid
            if found.uuid is None:
                found = with_uuid(found, known or str(uuid4()))
            elif known is not None and known != found.uuid:
                raise refusal(found.dialect, "name-taken", name=found.name, uuid=known,
                              remedy="undefine it first, or leave <uuid> out")  # fmt: skip
            self._refuse_known_uuid(found.name, found.uuid)
            self.store.save(found)
        self.log.tell("lifecycle", found.name, "defined", updated=before is not None)
        return found.name

    def redefine(self, name: str, data: bytes, *, validate: bool = False) -> None:
        """Store another definition of a domain, which keeps its name; raises as :meth:`define`."""
        found = parse_definition(data, self.store.dialect)
        if found.name != name:
            raise DomainError(
                OPERATION_INVALID,
                f"the definition is of {found.name!r}, and not of {name!r}",
                speaker=Speaker.OURS,
                remedy="keep the name, or define a domain of its own",
            )
        self.define(data, validate=validate)

    def _refuse_known_uuid(self, name: str, uuid: str | None) -> None:
        for other in self.domains(everything=True):
            if other.uuid == uuid and other.name != name:
                raise refusal(self.store.dialect, "uuid-taken", name=other.name, uuid=uuid)

    def undefine(self, name: str) -> None:
        """Forget a stored definition; a machine that runs goes on.

        Raises:
            DomainError: there is none.
        """
        with self.store.job(name, "undefine", pace=self.pace):
            stored, running = self.store.known(name)
            if stored is None:
                raise refusal(self.store.dialect, "undefine-missing")
            self.store.forget(name)
            if running is None:
                forget(self.store, name)  # what is left of a machine that ended
        self.log.tell("lifecycle", name, "undefined")

    def dumpxml(self, name: str, *, inactive: bool = False) -> bytes:
        """Return a domain's definition: of the machine that runs, or the stored one.

        It never waits for a change that is under way.

        Raises:
            DomainError: there is no such domain, or no stored definition of it.
        """
        stored, running = self.store.known(name)
        if running is not None and not inactive:
            return running.definition.data
        if stored is None:
            raise DomainError(
                OPERATION_INVALID,
                "the domain runs, and has no stored definition",
                speaker=Speaker.OURS,
                remedy="ask without --inactive",
            )
        return stored.data

    def resized_xml(self, name: str, which: Which, requested: int, targets: Targets) -> str:
        """Return a virtio-mem device as it would be with another requested size, as XML.

        Raises:
            DomainError: there is no such device, or it cannot have that size.
        """
        stored, running = self.store.known(name)
        to = targets.effective(stored, running, self.store.dialect)
        found = running.definition if to.live and running is not None else stored
        assert found is not None  # else the targets are refused
        return memory_xml(described(found, which, requested), live=to.live)

    def domains(self, *, everything: bool = False) -> tuple[Listed, ...]:
        """Return the domains that run, or all; one that cannot be read is listed with why."""
        found = []
        for name in self.store.names():
            try:
                stored, running = self.store.definition(name), self.store.running(name)
            except GuestmapError as error:
                if everything:
                    found.append(Listed(name, "", None, SHUT_OFF, True, str(error)))
                continue
            one = stored if running is None else running.definition
            if running is not None or (everything and one is not None):
                found.append(
                    Listed(
                        name,
                        (one and one.uuid) or "",
                        None if running is None else running.id,
                        SHUT_OFF if running is None else running.state,
                        stored is not None,
                    )
                )
        return tuple(sorted(found, key=lambda each: (each.id is None, each.id or 0, each.name)))

    def name_of(self, word: str) -> str:
        """Return the name of the domain that is meant by an id, a UUID or a name, in that order.

        A word that is no domain's is returned as it is.
        """
        if _ID.fullmatch(word) or _UUID.fullmatch(word):
            meant = (
                each.name
                for each in self.domains(everything=True)
                if word.lower() == each.uuid or word == str(each.id)
            )
            return next(meant, word)
        return word

    def info(self, name: str) -> Info:
        """Return the particulars of a domain.

        Raises:
            DomainError: there is no such domain.
        """
        stored, running = self.store.known(name)
        one = stored if running is None else running.definition
        assert one is not None  # else it is not known
        return Info(
            id=None if running is None else running.id,
            name=one.name,
            uuid=one.uuid or "",
            os_type=one.root.value("os/type") or "",
            state=SHUT_OFF if running is None else running.state,
            cpus=one.vcpus,
            max_memory=one.total,
            used_memory=one.current,
            memory_devices=len(one.devices),
            persistent=stored is not None,
            pending=() if running is None else tuple(each.alias for each in running.pending),
        )
