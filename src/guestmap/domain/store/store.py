"""Where a user's domains are kept."""

from __future__ import annotations

import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base.faults import point
from guestmap.domain.rules.errors import refusal
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.files import (
    drop_aside,
    make_folder,
    read_private,
    remove,
    write_private,
)
from guestmap.domain.store.jobs import WAIT_S, job
from guestmap.domain.store.journal import Notes
from guestmap.domain.store.kept import Kept
from guestmap.domain.store.status import Status, parse_status, status_xml
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.fields import NAME
from guestmap.domain.xml.tree import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.domain.listen import Pace
    from guestmap.domain.store.jobs import Holder

_SUFFIX = ".xml"
_MOST_STATUS = 2 * MOST_BYTES
_MOST_NAMES = 256
"""Domains whose files are remembered: to put paths together takes longer than to open a file."""


class _Files(NamedTuple):
    """Where a domain is kept."""

    config: Path
    status: Path
    journal: Path
    lock: Path


@dataclass(frozen=True)
class Store:
    """Definitions in one folder, what runs in another.

    Attributes:
        config: the folder of the definitions.
        run: the folder of what runs: status, locks, notes, sockets.
        dialect: which libvirt's rules definitions are read by.
        memory: the folder of files that are guests' memory (libvirt's ``memory_backing_dir``), on a
            filesystem with room for it; None: one beside what runs.
        on_wait: told where a job has to be waited for: of which domain, who holds it, and the
            seconds at most.
    """

    config: Path
    run: Path
    dialect: LibvirtDialect = LibvirtDialect.V9
    memory: Path | None = None
    on_wait: Callable[[str, Holder, float], object] | None = field(default=None, compare=False)
    _definitions: Kept[Definition] = field(default_factory=Kept, compare=False, repr=False)
    _statuses: Kept[Status] = field(default_factory=Kept, compare=False, repr=False)
    _names: dict[str, _Files] = field(default_factory=dict, compare=False, repr=False)

    def names(self) -> tuple[str, ...]:
        """Return the names of all domains, defined or running."""
        found = {path.name.removesuffix(_SUFFIX) for folder in (self.config, self.run)
                 for path in _documents(folder)}  # fmt: skip
        return tuple(sorted(name for name in found if NAME.fullmatch(name)))

    def definition(self, name: str) -> Definition | None:
        """Return a stored definition; None where there is none.

        Raises:
            HostError, DomainError: it cannot be read, or is none.
        """
        data = read_private(self.config_file(name), MOST_BYTES)
        if data is None:
            return None
        known = self._definitions.get(name, data)
        return known or self._definitions.put(name, data, parse_definition(data, self.dialect))

    def save(self, definition: Definition) -> None:
        """Store a definition.

        Raises:
            HostError: it cannot be written; what was there stays.
        """
        write_private(self.config_file(definition.name), definition.data, "config")
        self._definitions.put(definition.name, definition.data, definition)

    def forget(self, name: str) -> bool:
        """Remove a stored definition; tell whether there was one."""
        return remove(self.config_file(name), "config")

    def status(self, name: str) -> Status | None:
        """Return what is noted of a running machine, whether it still runs or not.

        Raises:
            HostError, PeerError: it cannot be read.
        """
        path = self.status_file(name)
        data = read_private(path, _MOST_STATUS)
        if data is None:
            return None
        known = self._statuses.get(name, data)
        return known or self._statuses.put(name, data, parse_status(data, self.dialect, str(path)))

    def running(self, name: str) -> Status | None:
        """Return what is noted of a machine that runs; None where it does not."""
        found = self.status(name)
        return found if found is not None and found.is_alive else None

    def save_status(self, status: Status) -> None:
        """Note what a running machine has.

        Raises:
            HostError: it cannot be written; what was there stays.
        """
        name, data = status.definition.name, status_xml(status)
        write_private(self.status_file(name), data, "status")
        root = status.definition.root
        if (root.start, root.end) == (0, len(status.definition.data)):  # else it reads as less
            self._statuses.put(name, data, status)

    def forget_status(self, name: str) -> None:
        """Remove the note of a machine that ended."""
        remove(self.status_file(name), "status")

    def refuse_unknown(self, name: str) -> None:
        """Refuse a name of no domain, without a look at what it is.

        Raises:
            DomainError: there is no such domain.
        """
        is_name = NAME.fullmatch(name) is not None
        if is_name and (self.config_file(name).exists() or self.status_file(name).exists()):
            return
        others = ", ".join(self.names()[:8]) or "none"
        raise refusal(self.dialect, "no-domain", name=name, remedy=f"there are: {others}")

    def known(self, name: str) -> tuple[Definition | None, Status | None]:
        """Return a domain's stored definition, and what runs of it.

        Raises:
            DomainError: there is no such domain.
        """
        self.refuse_unknown(name)
        stored, running = self.definition(name), self.running(name)
        if stored is None and running is None:
            raise refusal(self.dialect, "no-domain", name=name, remedy="its machine has ended")
        return stored, running

    @contextmanager
    def job(
        self, name: str, verb: str, *, wait_s: float = WAIT_S, pace: Pace | None = None
    ) -> Iterator[None]:
        """Hold the job of a domain for the time of a ``with``; see :func:`job`.

        What was written aside by somebody who was killed goes first.
        """
        make_folder(self.run)
        told, files = self.on_wait, self._files(name)
        with job(
            files.lock, verb, self.dialect, wait_s=wait_s, pace=pace,
            on_wait=None if told is None else lambda who, most: told(name, who, most),
        ) as was_broken_off:  # fmt: skip
            if was_broken_off:
                for path in (files.config, files.status, files.journal):
                    drop_aside(path)
            yield

    def notes(self, name: str) -> Notes:
        """Return where a domain's change under way is noted."""
        return Notes(self._files(name).journal)

    def config_file(self, name: str) -> Path:
        """Return the file of a stored definition."""
        return self._files(name).config

    def status_file(self, name: str) -> Path:
        """Return the file of what runs."""
        return self._files(name).status

    def _files(self, name: str) -> _Files:
        found = self._names.get(name)
        if found is None:
            found = _Files(
                self.config / f"{name}{_SUFFIX}",
                self.run / f"{name}{_SUFFIX}",
                self.run / f"{name}.journal",
                self.run / f"{name}.lock",
            )
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            self._names[name] = found
        return found

    def memory_folder(self, name: str, number: int) -> Path:
        """Return the folder of files that are a machine's memory; ``number`` is the machine's."""
        return (self.memory or self.run / ".ram") / f"{number}-{name}"

    def forget_memory(self, status: Status, alias: str) -> None:
        """Remove the file that was the memory of a machine's device, where it had one here."""
        if status.memory and Path(alias).name == alias:
            with suppress(OSError):
                point("memory.before-remove")
                (Path(status.memory) / alias).unlink()
                point("memory.after-remove")

    def forget_all_memory(self, status: Status) -> None:
        """Remove the files that were the memory of a machine that ended."""
        folder = Path(status.memory)
        if folder.name == f"{status.id}-{status.definition.name}":  # else it was not made here
            point("memories.before-remove")
            shutil.rmtree(folder, ignore_errors=True)
            point("memories.after-remove")

    def machine_folder(self, name: str) -> Path:
        """Return the folder of a machine's sockets and its log."""
        return self.run / name


def _documents(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if each.name.endswith(_SUFFIX)
                and not each.name.startswith(".")]  # fmt: skip
    except OSError:
        return []
