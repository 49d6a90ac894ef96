"""The table loader: a script by which firmware places tables and links them up.

fw_cfg's ``etc/table-loader`` is a list of entries of 128 bytes, each a command that firmware obeys
in order (SeaBIOS, src/fw/romfile_loader.h): load a file into memory, add a file's address to a
pointer inside another one, complete a checksum.
"""

from __future__ import annotations

import struct
from enum import IntEnum

ENTRY_BYTES = 128
MOST_NAME_BYTES = 55

_ALLOCATE, _ADD_POINTER, _ADD_CHECKSUM = 1, 2, 3
_ALLOCATE_ENTRY = struct.Struct("<I56sIB")
_POINTER_ENTRY = struct.Struct("<I56s56sIB")
_CHECKSUM_ENTRY = struct.Struct("<I56sIII")


class Zone(IntEnum):
    """Where firmware puts a file."""

    HIGH = 1
    """Anywhere below 4 GiB."""
    F_SEGMENT = 2
    """F0000h to FFFFFh, where operating systems look for the RSDP."""


class TableLoader:
    """The script, as it is written."""

    def __init__(self) -> None:
        self._entries: list[bytes] = []

    def allocate(self, file: str, align: int, zone: Zone) -> None:
        """Load ``file`` at a multiple of ``align`` bytes; comes before all else about it."""
        self._append(_ALLOCATE_ENTRY.pack(_ALLOCATE, _file(file), align, zone))

    def add_pointer(self, file: str, offset: int, target: str, size: int = 4) -> None:
        """Add the address of ``target`` to the ``size`` bytes at ``offset`` of ``file``."""
        entry = _POINTER_ENTRY.pack(_ADD_POINTER, _file(file), _file(target), offset, size)
        self._append(entry)

    def add_checksum(self, file: str, offset: int, start: int, length: int) -> None:
        """Set the byte at ``offset`` so that ``length`` bytes from ``start`` on sum up to 0."""
        self._append(_CHECKSUM_ENTRY.pack(_ADD_CHECKSUM, _file(file), offset, start, length))

    def _append(self, entry: bytes) -> None:
        self._entries.append(entry.ljust(ENTRY_BYTES, b"\0"))

    def script(self) -> bytes:
        """Return the content of ``etc/table-loader``."""
        return b"".join(self._entries)


def _file(name: str) -> bytes:
    if len(name) > MOST_NAME_BYTES:
        raise ValueError(f"file name {name!r} has more than {MOST_NAME_BYTES} characters")
    return name.encode()
