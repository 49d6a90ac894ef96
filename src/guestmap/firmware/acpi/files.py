"""ACPI tables as firmware gets them: two files of tables, and the script that installs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.firmware.acpi.dsdt import dsdt
from guestmap.firmware.acpi.loader import TableLoader, Zone
from guestmap.firmware.acpi.tables import (
    CHECKSUM_OFFSET,
    FADT_DSDT,
    FADT_FACS,
    HEADER,
    RSDP_CHECKSUM,
    RSDP_RSDT,
    RSDP_SIZE,
    facs,
    fadt,
    hpet,
    madt,
    rsdp,
    rsdt,
    srat,
    waet,
)

if TYPE_CHECKING:
    from guestmap.firmware.acpi.config import AcpiConfig

RSDP_FILE = "etc/acpi/rsdp"
TABLES_FILE = "etc/acpi/tables"
LOADER_FILE = "etc/table-loader"

TABLES_BYTES, TABLES_MAX_BYTES = 0x20000, 0x200000
LOADER_BYTES, LOADER_MAX_BYTES = 0x1000, 0x10000
RSDP_MAX_BYTES = 0x1000
"""Sizes of the files, and of the RAM blocks ``/rom@NAME`` that QEMU keeps them in."""

_TABLES_ALIGN, _RSDP_ALIGN = 64, 16


def acpi_files(config: AcpiConfig) -> dict[str, bytes]:
    """Return the files to put into fw_cfg, by name.

    Tables are padded to 128 KiB and the script to 4 KiB, as QEMU does, so that firmware reserves
    as much as with QEMU.

    Raises:
        ConfigError: the tables do not fit in there.
    """
    blob, loader = _Blob(), TableLoader()
    loader.allocate(RSDP_FILE, _RSDP_ALIGN, Zone.F_SEGMENT)
    loader.allocate(TABLES_FILE, _TABLES_ALIGN, Zone.HIGH)
    facs_at = blob.append(facs(), align=_TABLES_ALIGN)
    dsdt_at = blob.append_table(loader, dsdt(config))
    listed = [
        blob.append_table(
            loader, fadt(config, facs=facs_at, dsdt=dsdt_at), pointers=(FADT_FACS, FADT_DSDT)
        )
    ]
    others = [madt(config), *([hpet()] if config.hpet else [])]
    others += [*([srat(config)] if config.nodes else []), waet()]
    listed += [blob.append_table(loader, each) for each in others]
    entries = tuple(HEADER.size + 4 * index for index in range(len(listed)))
    rsdt_at = blob.append_table(loader, rsdt(listed), pointers=entries)
    loader.add_pointer(RSDP_FILE, RSDP_RSDT, TABLES_FILE)
    loader.add_checksum(RSDP_FILE, RSDP_CHECKSUM, 0, RSDP_SIZE)
    return {
        RSDP_FILE: rsdp(rsdt_at),
        TABLES_FILE: _padded(bytes(blob.data), TABLES_BYTES, "ACPI tables"),
        LOADER_FILE: _padded(loader.script(), LOADER_BYTES, "the ACPI table loader's script"),
    }


class _Blob:
    """The tables, one behind the other."""

    def __init__(self) -> None:
        self.data = bytearray()

    def append(self, table: bytes, *, align: int = 1) -> int:
        """Append a table and return its offset."""
        self.data += bytes(-len(self.data) % align)
        offset = len(self.data)
        self.data += table
        return offset

    def append_table(
        self, loader: TableLoader, table: bytes, *, pointers: tuple[int, ...] = ()
    ) -> int:
        """Append a table, and have its pointers and then its checksum completed."""
        offset = self.append(table)
        for pointer in pointers:
            loader.add_pointer(TABLES_FILE, offset + pointer, TABLES_FILE)
        loader.add_checksum(TABLES_FILE, offset + CHECKSUM_OFFSET, offset, len(table))
        return offset


def _padded(data: bytes, size: int, what: str) -> bytes:
    if len(data) > size:
        raise ConfigError(f"{what} have 0x{len(data):x} bytes, more than 0x{size:x}")
    return data.ljust(size, b"\0")
