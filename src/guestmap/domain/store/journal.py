"""The change of a domain that is under way: one note, written before its first step.

Whoever is killed in between leaves the note, and the next change of that domain begins by finishing
or undoing it (:mod:`guestmap.domain.change.recovery`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from guestmap.domain.store.files import read_private, remove, write_private

if TYPE_CHECKING:
    from pathlib import Path

_MOST = 16 << 20
_KIND = "journal"


class Note(msgspec.Struct, frozen=True):
    """A change that was begun.

    Attributes:
        verb: ``attach``, ``detach``, ``update``, ``setmem``.
        alias, backend: of the device that comes or goes; "" where none does.
        device: the device as it comes into the live definition, as XML.
        config: the stored definition as it will be; None: it stays.
        requested: KiB that are requested of a virtio-mem device, or of the whole guest.
    """

    verb: str
    alias: str = ""
    backend: str = ""
    device: str = ""
    config: str | None = None
    requested: int | None = None
    version: int = 1


class Notes:
    """Where a domain's note is kept."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, note: Note) -> None:
        """Note a change, for whoever comes when we are killed.

        It need not reach the disk: when the host ends, so does the machine that is changed.

        Raises:
            HostError: it cannot be written; then nothing was begun.
        """
        write_private(self._path, msgspec.json.encode(note) + b"\n", _KIND, durable=False)

    def read(self) -> Note | None:
        """Return what was begun and not finished.

        Raises:
            HostError: there is something that cannot be read.
        """
        data = read_private(self._path, _MOST)
        if data is None:
            return None
        try:
            note = msgspec.json.decode(data, type=Note)
        except (ValueError, RecursionError):
            return None  # files are whole or absent: this was not written here
        return note if note.version == 1 else None

    def strike(self) -> None:
        """Strike out what is done.

        Raises:
            HostError: it cannot be removed.
        """
        remove(self._path, _KIND, durable=False)
