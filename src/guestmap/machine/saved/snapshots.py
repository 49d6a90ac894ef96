"""Snapshots: saved machines by name, in a folder."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from guestmap.base import ConfigError, HostError, PeerError, UnsupportedError
from guestmap.base.faults import point
from guestmap.machine.media.overlay import Overlay
from guestmap.machine.run_state import RunState
from guestmap.machine.saved.content import decode
from guestmap.machine.saved.format import SavedReader
from guestmap.machine.saved.load import load_into, open_saved
from guestmap.machine.saved.save import save
from guestmap.machine.vm import VirtualMachine

_SUFFIX = ".guestmap"
_LONGEST = 255  # bytes of a file's name, on what file systems there are


class SnapshotInfo(NamedTuple):
    """What is to be told of a snapshot.

    Attributes:
        name: what it is called.
        size: bytes in the file.
        taken_ns: when, in ns since 1970.
        time_ns: of the machine's clock.
    """

    name: str
    size: int
    taken_ns: int
    time_ns: int


class Snapshots:
    """The snapshots of one machine.

    Args:
        folder: where the files are; made where it is not there.

    Raises:
        HostError: it cannot be made.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(f"cannot make the folder {folder} ({error.strerror})") from error

    def path(self, name: str) -> Path:
        """Return the file of a snapshot, which may not be there.

        Raises:
            ConfigError: no file can be called so.
        """
        file = quote(name, safe=" ") + _SUFFIX
        if not name or len(file) > _LONGEST:
            raise ConfigError(f"a snapshot cannot be called {name!r}: give a shorter name")
        return self.folder / file

    def has(self, name: str) -> bool:
        """Tell whether there is a snapshot of that name."""
        return self.path(name).is_file()

    def __iter__(self) -> Iterator[SnapshotInfo]:
        """Yield the snapshots, the oldest first; what is no saved machine is passed over."""
        found = []
        for path in filter(Path.is_file, self.folder.glob(f"*{_SUFFIX}")):  # no pipe, say
            try:
                found.append(_info(path))
            except (OSError, HostError, PeerError, UnsupportedError):
                continue
        yield from sorted(found, key=lambda each: each.taken_ns)

    def save(self, vm: VirtualMachine, name: str = "") -> None:
        """Save a machine, and let it go on if it ran; one of that name is replaced.

        Args:
            vm: the machine.
            name: what to call it; "" for one that tells the time.

        Raises:
            ConfigError: no file can be called so.
            UnsupportedError: the guest writes to a file, which would not be saved.
            StateError, UnsupportedError, HostError: see :func:`guestmap.machine.saved.save`.
        """
        for medium in vm.board.media:
            if not (medium.readonly or isinstance(medium, Overlay)):
                raise UnsupportedError(
                    f"{medium.name} is written by the guest, and a snapshot would be without it:"
                    " give the drive snapshot=on or readonly=on"
                )
        path = self.path(name or time.strftime("vm-%Y%m%d%H%M%S"))
        with vm.exclusive():
            ran = vm.state is RunState.RUNNING
            try:
                save(vm, path)
            finally:
                if ran:
                    vm.cont()

    def load(self, vm: VirtualMachine, name: str) -> None:
        """Make a machine one that was saved; if it ran, it goes on from there.

        Where nothing is loaded it goes on as it was; QEMU's is paused then.

        Raises:
            ConfigError: there is none of that name, or it is of another machine.
            PeerError, HostError, UnsupportedError: see :func:`guestmap.machine.saved.load_into`.
        """
        if not self.has(name):
            raise ConfigError(f"Snapshot '{name}' does not exist in one or more devices")
        with vm.exclusive(), open_saved(self.path(name)) as opened:
            ran = vm.state is RunState.RUNNING
            try:
                load_into(vm, opened)
            finally:  # one that is of another machine has changed nothing
                if ran and vm.state is RunState.PAUSED:
                    vm.cont()

    def delete(self, name: str) -> None:
        """Remove a snapshot; where there is none, nothing happens, as in QEMU.

        Raises:
            HostError: the host refuses.
        """
        try:
            point("saved.before-remove")
            self.path(name).unlink(missing_ok=True)
        except OSError as error:
            raise HostError(f"cannot remove {self.path(name)} ({error.strerror})") from error


def _info(path: Path) -> SnapshotInfo:
    with path.open("rb") as file:
        reader = SavedReader(file, str(path), checked=False)
        saved = decode(reader.index, reader.name, reader.data_length)
    name = unquote(path.name.removesuffix(_SUFFIX))
    return SnapshotInfo(name, path.stat().st_size, saved.taken_ns, saved.time_ns)
