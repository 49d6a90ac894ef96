"""What is known of a running machine, as a document: libvirt's form, with what we need besides.

It holds what finding the machine again needs: which process it is, where its monitors are, what it
has, and the definition that is in force.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import quoteattr

import msgspec
from msgspec.structs import replace

from guestmap.base import PeerError
from guestmap.domain.journal import Process
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.xml.definition import definition_of
from guestmap.domain.xml.tree import moved, read_xml

if TYPE_CHECKING:
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.tree import Element

STARTING, RUNNING, PAUSED = "starting", "running", "paused"


class Pending(msgspec.Struct, frozen=True):
    """A device that the guest was asked for and has not given back yet.

    Attributes:
        alias: its id.
        config: whether it is to leave the stored definition with it.
    """

    alias: str
    config: bool = False


class Status(msgspec.Struct, frozen=True):
    """One running machine.

    Attributes:
        state: ``starting``, ``running`` or ``paused`` as we left it; the machine knows better.
        id: its number among those that run.
        process: which process it is.
        monitor: the socket for changes, one client at a time. look: for questions.
            events: for listening.
        definition: what it has.
        memory: the folder of files that are its memory.
        aliases: names of its devices, when it was asked last.
        pending: what the guest was asked for.
    """

    state: str
    id: int
    process: Process
    monitor: str
    look: str
    events: str
    definition: Definition
    aliases: tuple[str, ...] = ()
    pending: tuple[Pending, ...] = ()
    memory: str = ""

    @property
    def is_alive(self) -> bool:
        """Whether its process still runs."""
        return self.process.is_alive

    def having(self, definition: Definition) -> Status:
        """Return it with another definition."""
        return replace(self, definition=definition)

    def without_pending(self, alias: str) -> Status:
        """Return it with a device asked for no more."""
        return replace(self, pending=tuple(each for each in self.pending if each.alias != alias))


def status_xml(status: Status) -> bytes:
    """Return the document."""
    process = status.process
    devices = "".join(f"    <device alias={_quoted(name)}/>\n" for name in status.aliases)
    pending = "".join(
        f"    <device alias={quoteattr(each.alias)} config='{'yes' if each.config else 'no'}'/>\n"
        for each in status.pending
    )
    head = (
        f"<domstatus state='{status.state}' reason='booted' pid='{process.number}'"
        f" started='{process.start}' id='{status.id}'>\n"
        f"  <monitor path={quoteattr(status.monitor)} type='unix'/>\n"
        f"  <look path={quoteattr(status.look)}/>\n"
        f"  <events path={quoteattr(status.events)}/>\n"
        f"  <memoryBackingDir path={quoteattr(status.memory)}/>\n"
        f"  <devices>\n{devices}  </devices>\n"
        f"  <unplugging>\n{pending}  </unplugging>\n  "
    )
    root = status.definition.root
    domain = status.definition.data[root.start : root.end]
    return head.encode() + domain + b"\n</domstatus>\n"


def _quoted(name: str) -> str:
    """Return an attribute's value; most names have nothing in them that must be escaped."""
    return f'"{name}"' if name.isidentifier() else quoteattr(name)


def parse_status(data: bytes, dialect: LibvirtDialect, what: str) -> Status:
    """Return what a document says.

    Raises:
        PeerError: it is none that was written here.
    """
    try:
        root = read_xml(data, "status")
        domain = root.find("domain")
        if root.name != "domstatus" or domain is None:
            raise PeerError(f"{what} is no status of a machine")
        inner = moved(domain, domain.start, domain.line - 1)
        found = definition_of(data[domain.start : domain.end], inner, dialect)
        return Status(
            state=root.get("state") or RUNNING,
            id=_number(root, "id"),
            process=Process(_number(root, "pid"), _number(root, "started")),
            monitor=_path(root, "monitor"),
            look=_path(root, "look"),
            events=_path(root, "events"),
            definition=found,
            aliases=tuple(each.get("alias") or "" for each in root.every("devices/device")),
            pending=tuple(
                Pending(each.get("alias") or "", each.get("config") == "yes")
                for each in root.every("unplugging/device")
            ),
            memory=_path(root, "memoryBackingDir") or str(Path(_path(root, "monitor")).parent),
        )
    except (DomainError, ValueError) as error:
        raise PeerError(f"{what} is no status of a machine: {error}") from error


def _number(root: Element, name: str) -> int:
    return int(root.get(name) or "")


def _path(root: Element, name: str) -> str:
    found = root.find(name)
    return "" if found is None else found.get("path") or ""
