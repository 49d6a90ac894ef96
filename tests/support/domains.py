"""A manager of domains whose emulator is played, and what tests ask the played machine."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.process.wire import Wire
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.status import Status
from guestmap.domain.store.store import Store
from tests.domain.documents import domain, memory

LIVE, CONFIG, BOTH = Targets(live=True), Targets(config=True), Targets(live=True, config=True)
CURRENT = Targets(current=True)
DIMM = memory()


class Domains(Manager):
    """A manager that can ask the played machine what no manager asks.

    Args:
        folder: where the domains are.
        emulator: the program.
    """

    def __init__(
        self, folder: Path, emulator: Path, dialect: LibvirtDialect = LibvirtDialect.V9
    ) -> None:
        super().__init__(Store(folder / "config", folder / "run", dialect))
        self.emulator = emulator

    def running(self, name: str = "vm", **words: Any) -> Status:
        """Define and start a domain."""
        self.define(domain(name, emulator=str(self.emulator), **words))
        return self.changes.start(name).status

    def ask(self, command: str, name: str = "vm", /, **arguments: Any) -> Any:
        """Return what the machine answers at the monitor for questions."""
        status = self.store.status(name)
        assert status is not None
        with socket.socket(socket.AF_UNIX) as client, client.makefile("rw") as file:
            client.connect(status.look)
            for told in ({"execute": "qmp_capabilities"},
                         {"execute": command, "arguments": arguments, "id": "q"}):  # fmt: skip
                file.write(json.dumps(told) + "\r\n")
                file.flush()
            for line in file:
                answer = json.loads(line)
                if answer.get("id") == "q":
                    return answer.get("return", answer.get("error"))
        raise AssertionError("no answer")

    def told(self, name: str = "vm") -> list[str]:
        """Return the lines that came in at the monitor for changes."""
        lines: list[str] = self.ask("x-fake-log", name, name="monitor")
        return lines

    def commands(self, name: str = "vm") -> list[str]:
        """Return those of the lines that are more than a client's first word."""
        return [line for line in self.told(name) if '"qmp_capabilities"' not in line]

    def plugged(self, name: str = "vm") -> list[str]:
        """Return the devices that the machine has."""
        return [each["data"]["id"] for each in self.ask("query-memory-devices", name)]

    def backends(self, name: str = "vm") -> list[str]:
        """Return the objects that the machine has, that are named as backends of devices are."""
        found = self.ask("qom-list", name, path="/objects")
        names = (each["name"] for each in found if each["type"] != "string")
        return [name for name in names if name.startswith("mem")]

    def documents(self, name: str = "vm") -> tuple[bytes, bytes, bytes, bytes]:
        """Return what is shown and what is kept: live, inactive, status, config."""
        return (
            self.dumpxml(name),
            self.dumpxml(name, inactive=True),
            self.store.status_file(name).read_bytes(),
            self.store.config_file(name).read_bytes(),
        )

    def known(self, name: str = "vm", *, live: bool = True) -> list[tuple[str | None, int | None]]:
        """Return name and slot of the memory devices of a definition."""
        stored, running = self.store.known(name)
        found = running.definition if live and running is not None else stored
        assert found is not None
        return [(each.alias, each.slot) for each in found.devices]

    def consistent(self, name: str = "vm") -> None:
        """Hold what is known of the machine to what it has, and that nothing is left over."""
        names = self.plugged(name)
        assert sorted(alias or "" for alias, _ in self.known(name)) == sorted(names)
        assert sorted(self.backends(name)) == sorted(f"mem{each}" for each in names)
        assert self.store.notes(name).read() is None
        folders = (self.store.config, self.store.run)
        assert not [each for folder in folders for each in folder.glob(".*.new")]


@contextmanager
def domains(
    folder: Path, emulator: Path, dialect: LibvirtDialect = LibvirtDialect.V9
) -> Iterator[Domains]:
    """Give a manager, and end whatever it started."""
    found = Domains(folder, emulator, dialect)
    try:
        yield found
    finally:
        for each in found.domains():
            found.changes.destroy(each.name)


@contextmanager
def sent_by_us() -> Iterator[list[dict[str, Any]]]:
    """Give a list of the commands that the manager sends meanwhile, as they go over the wire.

    Without their ids, and without what opens a session: libvirt's stays open.
    """
    sent: list[dict[str, Any]] = []
    send = Wire._send

    def recorded(wire: Wire, lines: bytes) -> None:
        for line in lines.splitlines():
            told = json.loads(line)
            del told["id"]
            if told["execute"] != "qmp_capabilities":
                sent.append(told)
        send(wire, lines)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Wire, "_send", recorded)
        yield sent
