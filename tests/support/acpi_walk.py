"""Finding ACPI tables as an operating system does: from the RSDP, by their addresses."""

from __future__ import annotations

import struct
from collections.abc import Callable

Read = Callable[[int, int], bytes]
"""Address and length to bytes."""


def tables_from(rsdp: bytes, read: Read) -> dict[str, bytes]:
    """Return all tables by signature, each one's checksum and length checked."""
    assert rsdp[:8] == b"RSD PTR "
    assert sum(rsdp[:20]) & 0xFF == 0
    (address,) = struct.unpack_from("<I", rsdp, 16)
    rsdt = _table(address, read)
    assert rsdt[:4] == b"RSDT"
    found = {"RSDT": rsdt}
    for (entry,) in struct.iter_unpack("<I", rsdt[36:]):
        table = _table(entry, read)
        found[table[:4].decode()] = table
    facs, dsdt = struct.unpack_from("<II", found["FACP"], 36)
    assert facs % 64 == 0
    found["FACS"] = read(facs, 64)
    assert found["FACS"][:8] == b"FACS" + struct.pack("<I", 64)
    found["DSDT"] = _table(dsdt, read)
    return found


def _table(address: int, read: Read) -> bytes:
    (length,) = struct.unpack("<I", read(address + 4, 4))
    table = read(address, length)
    assert sum(table) & 0xFF == 0, f"checksum of {table[:4]!r}"
    return table


def split_tables(blob: bytes) -> dict[str, bytes]:
    """Return the tables that lie one behind the other in ``etc/acpi/tables``, by signature."""
    found = {}
    at = 0
    while blob[at : at + 4] != bytes(4):
        (length,) = struct.unpack_from("<I", blob, at + 4)
        found[blob[at : at + 4].decode()] = blob[at : at + length]
        at += length
    assert not any(blob[at:])
    return found
