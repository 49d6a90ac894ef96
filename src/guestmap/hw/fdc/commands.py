"""The commands of an Intel 82078 floppy controller: how many parameters each takes.

From the Intel 82078 data sheet, section 5 (command set). Bits outside ``mask`` are options
(multi-track, MFM, skip) and the drive's business.
"""

from __future__ import annotations

from guestmap.base.named_tuple import NamedTuple


class FdcCommand(NamedTuple):
    """Commands with ``byte & mask == value`` and the number of parameter bytes that follow."""

    mask: int
    value: int
    parameters: int
    name: str


COMMANDS = (
    FdcCommand(0x1F, 0x06, 8, "read_data"),
    FdcCommand(0x1F, 0x05, 8, "write_data"),
    FdcCommand(0xFF, 0x0F, 2, "seek"),
    FdcCommand(0xFF, 0x08, 0, "sense_interrupt"),
    FdcCommand(0xFF, 0x07, 1, "recalibrate"),
    FdcCommand(0xBF, 0x0D, 5, "format_track"),
    FdcCommand(0xBF, 0x02, 8, "read_track"),
    FdcCommand(0xFF, 0x4E, 17, "restore"),
    FdcCommand(0xFF, 0x2E, 0, "save"),
    FdcCommand(0x1F, 0x0C, 8, "read_deleted_data"),
    FdcCommand(0x1F, 0x11, 8, "scan_equal"),
    FdcCommand(0x1F, 0x16, 8, "verify"),
    FdcCommand(0x1F, 0x19, 8, "scan_low_or_equal"),
    FdcCommand(0x1F, 0x1D, 8, "scan_high_or_equal"),
    FdcCommand(0x3F, 0x09, 8, "write_deleted_data"),
    FdcCommand(0xBF, 0x0A, 1, "read_id"),
    FdcCommand(0xFF, 0x03, 2, "specify"),
    FdcCommand(0xFF, 0x04, 1, "sense_drive_status"),
    FdcCommand(0xFF, 0x12, 1, "perpendicular_mode"),
    FdcCommand(0xFF, 0x13, 3, "configure"),
    FdcCommand(0xFF, 0x17, 2, "powerdown_mode"),
    FdcCommand(0xFF, 0x33, 1, "option"),
    FdcCommand(0xFF, 0x8E, 5, "drive_specification"),
    FdcCommand(0xFF, 0x8F, 2, "relative_seek_out"),
    FdcCommand(0xFF, 0xCD, 10, "format_and_write"),
    FdcCommand(0xFF, 0xCF, 2, "relative_seek_in"),
    FdcCommand(0x7F, 0x14, 0, "lock"),
    FdcCommand(0xFF, 0x0E, 0, "dump_registers"),
    FdcCommand(0xFF, 0x10, 0, "version"),
    FdcCommand(0xFF, 0x18, 0, "part_id"),
)

INVALID = FdcCommand(0x00, 0x00, 0, "invalid")


def find_command(byte: int) -> FdcCommand:
    """Return the command that ``byte`` starts; :data:`INVALID` where there is none."""
    return next((c for c in COMMANDS if byte & c.mask == c.value), INVALID)
