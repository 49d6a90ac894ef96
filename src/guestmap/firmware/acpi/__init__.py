"""ACPI tables, made from a configuration and handed to firmware as fw_cfg files."""

from guestmap.firmware.acpi.config import AcpiConfig, DeviceMemoryRange, ProximityDomain
from guestmap.firmware.acpi.files import (
    LOADER_BYTES,
    LOADER_FILE,
    LOADER_MAX_BYTES,
    RSDP_FILE,
    RSDP_MAX_BYTES,
    TABLES_BYTES,
    TABLES_FILE,
    TABLES_MAX_BYTES,
    acpi_files,
)

__all__ = [
    "LOADER_BYTES",
    "LOADER_FILE",
    "LOADER_MAX_BYTES",
    "RSDP_FILE",
    "RSDP_MAX_BYTES",
    "TABLES_BYTES",
    "TABLES_FILE",
    "TABLES_MAX_BYTES",
    "AcpiConfig",
    "DeviceMemoryRange",
    "ProximityDomain",
    "acpi_files",
]
