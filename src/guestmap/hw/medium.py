"""What a drive keeps its data on, as the drive sees it: bytes by their offset."""

from __future__ import annotations

from typing import Protocol

from guestmap.base import ConfigError

SECTOR = 512
"""Bytes of the smallest piece that a disk reads or writes."""


class Medium(Protocol):
    """A file, a part of one, or what somebody else serves.

    Attributes:
        size: bytes, a multiple of 512.
        readonly: whether it takes no writes.
        name: what messages call it.
    """

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def readonly(self) -> bool:
        """Whether it takes no writes."""

    @property
    def name(self) -> str:
        """What messages call it."""

    def read(self, offset: int, length: int) -> bytes:
        """Return ``length`` bytes from ``offset`` on, which lie inside.

        Raises:
            HostError, PeerError: whoever keeps the data could not.
        """

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes there, which lie inside.

        Raises:
            HostError, PeerError: whoever keeps the data could not.
        """

    def flush(self) -> None:
        """Have everything that was written outlive the program and the host.

        Raises:
            HostError, PeerError: whoever keeps the data could not.
        """

    def close(self) -> None:
        """Let go of it. May be called again."""


class MemoryMedium:
    """A medium whose bytes are in memory: for benches, and for whoever has no file.

    Args:
        content: what it holds; its length is a multiple of 512.
        readonly: whether it takes no writes.

    Raises:
        ConfigError: a length that is none.
    """

    def __init__(self, content: bytes | bytearray, *, readonly: bool = False) -> None:
        if len(content) % SECTOR:
            raise ConfigError(f"a medium of {len(content)} bytes is no whole number of sectors")
        self.content = bytearray(content)
        self.readonly = readonly
        self.name = "memory"
        self.flushes = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes."""
        return bytes(self.content[offset : offset + length])

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes there."""
        self.content[offset : offset + len(data)] = data

    def flush(self) -> None:
        """Count: nothing outlives the program."""
        self.flushes += 1

    def close(self) -> None:
        """Nothing to let go of."""
