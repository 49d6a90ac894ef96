"""A medium that is never written: what the guest writes is kept aside, and gone at the end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import field

from guestmap.base import ConfigError, HostError
from guestmap.base.dataclass import dataclass
from guestmap.hw.medium import Medium

_CLUSTER = 0x10000


@dataclass(slots=True)
class OverlayState:
    """What was written: clusters of 64 KiB, by their numbers."""

    clusters: dict[int, bytes] = field(default_factory=dict)


class Overlay:
    """Another medium, with what was written since in a file that has no name.

    Args:
        base: what is read where nothing was written.

    Raises:
        HostError: the host has no place for the file.
    """

    readonly = False

    def __init__(self, base: Medium) -> None:
        self._base = base
        self._written: set[int] = set()
        import tempfile  # which imports every compression there is

        try:
            self._file = tempfile.TemporaryFile(prefix="guestmap-", buffering=0)  # noqa: SIM115
        except OSError as error:
            raise HostError("cannot make a file for snapshot=on", errno=error.errno) from error

    @property
    def size(self) -> int:
        """Bytes."""
        return self._base.size

    @property
    def name(self) -> str:
        """What messages call it."""
        return self._base.name

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes, of here or of the base, in runs of clusters."""
        return b"".join(
            self._aside(first, end - first) if here else self._base.read(first, end - first)
            for here, first, end in self._runs(offset, offset + length)
        )

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Keep bytes aside; what of the first and the last cluster is not written comes along."""
        end = offset + len(data)
        for number in {offset // _CLUSTER, (end - 1) // _CLUSTER} - self._written:
            first = number * _CLUSTER
            if first < offset or min(first + _CLUSTER, self.size) > end:
                self._put(first, self._base.read(first, min(_CLUSTER, self.size - first)))
        self._put(offset, data)
        self._written.update(range(offset // _CLUSTER, -(-end // _CLUSTER)))

    def flush(self) -> None:
        """Nothing of it is to outlive the program."""

    def close(self) -> None:
        """Forget what was written."""
        self._file.close()
        self._base.close()

    def _runs(self, first: int, end: int) -> Iterator[tuple[bool, int, int]]:
        """Yield pieces of a range that are all here, or all of the base."""
        while first < end:
            here = first // _CLUSTER in self._written
            last = first // _CLUSTER + 1
            while last * _CLUSTER < end and (last in self._written) is here:
                last += 1
            yield here, first, min(end, last * _CLUSTER)
            first = last * _CLUSTER

    def _aside(self, offset: int, length: int) -> bytes:
        try:
            return os.pread(self._file.fileno(), length, offset).ljust(length, b"\0")
        except OSError as error:
            raise HostError(
                f"cannot read what {self.name} was written", errno=error.errno
            ) from error

    def _put(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        left = memoryview(data)
        try:
            while left:
                done = os.pwrite(self._file.fileno(), left, offset)
                offset, left = offset + done, left[done:]
        except OSError as error:
            raise HostError(
                f"cannot keep what {self.name} is written", errno=error.errno
            ) from error

    # -- in a saved machine ------------------------------------------------------------------------

    @property
    def state(self) -> OverlayState:
        """What was written, as a saved machine holds it: a value of its class."""
        return OverlayState()

    def save(self) -> OverlayState:
        """Return what was written."""
        return OverlayState({
            number: self._aside(number * _CLUSTER, self._length(number)) for number in self._written
        })  # fmt: skip

    def load(self, state: OverlayState) -> None:
        """Go on with what was written.

        Raises:
            ConfigError: it is not of this medium.
        """
        for number, content in state.clusters.items():
            if number < 0 or len(content) != self._length(number):
                raise ConfigError(f"what was written to {self.name} is of another medium")
        self._written.clear()
        for number, content in state.clusters.items():
            self._put(number * _CLUSTER, content)
            self._written.add(number)

    def _length(self, number: int) -> int:
        return max(0, min(_CLUSTER, self.size - number * _CLUSTER))
