"""Addresses as people write them: always hexadecimal, or refused where they may be decimal."""

from __future__ import annotations

import re

from guestmap.base.addrrange import ADDRESS_SPACE_SIZE
from guestmap.base.errors import ConfigError
from guestmap.base.pattern import pattern
from guestmap.base.units import parse_memory_size

_HEX = pattern(r"(?P<x>0[xX])?(?P<digits>[0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)(?P<h>[hH])?", re.ASCII)
_SEGMENTED = pattern(
    r"(?:0[xX])?([0-9a-fA-F]{1,4})[hH]?:(?:0[xX])?([0-9a-fA-F]{1,4})[hH]?", re.ASCII
)
_WITH_UNIT = pattern(r"[0-9.xXa-fA-F]+ ?[kKmMgGtTpP](?:i?[bB])?", re.ASCII)
_TABLE_DIGITS = 16  # every table of ours and of QEMU's prints so many


def parse_address(text: str, *, what: str = "address") -> int:
    """Return the address that ``text`` names, 0 to 2**64 - 1.

    It is hexadecimal with ``0x``, a trailing ``h``, ``_`` between digits, a leading zero, a digit
    a to f, or 16 digits as in a table. ``f000:fff0`` is segment and offset of real mode
    (16 * segment + offset), ``640K`` and ``3 GiB`` are places that far from 0. Other digits alone
    could be meant either way.

    Args:
        text: what somebody wrote.
        what: what the address is, for the error message.

    Raises:
        ConfigError: not an address, one that does not fit in 64 bits, or digits that read
            differently in decimal; says both readings.
    """
    text = text.strip()
    segmented = _SEGMENTED.fullmatch(text)
    if segmented is not None:
        return 16 * int(segmented[1], 16) + int(segmented[2], 16)
    match = _HEX.fullmatch(text)
    if match is None:
        if _WITH_UNIT.fullmatch(text):
            return parse_memory_size(text, what=what)
        raise ConfigError(
            f"{what} {text!r} is not an address: write it in hexadecimal as 0xc9000, c9000h or"
            " f000:fff0, or with a unit as 640K"
        )
    digits = match["digits"].replace("_", "")
    address = int(digits, 16)
    if address >= ADDRESS_SPACE_SIZE:
        raise ConfigError(f"{what} {text!r} does not fit in 64 bits")
    if _may_be_decimal(match, text):
        raise ConfigError(
            f"{what} {text!r} may be hexadecimal or decimal: write 0x{digits} or"
            f" {int(digits):#x} (decimal {digits})"
        )
    return address


def parse_address_range(text: str, *, what: str = "range") -> tuple[int, int]:
    """Return the first address of a range as printed, ``c0000-e7fff``, and its last one.

    Both ends are hexadecimal, as every table has them. A single address is a range of one.

    Raises:
        ConfigError: not a range, or one that ends before it starts.
    """
    first, dash, last = text.strip().partition("-")
    if not dash:
        address = parse_address(text, what=what)
        return address, address
    ends = [each.strip() for each in (first, last)]
    if not all(_HEX.fullmatch(each) for each in ends):
        raise ConfigError(f"{what} {text!r} is not START-END in hexadecimal, as in c0000-e7fff")
    start, end = (parse_address(f"0x{each.lower().removeprefix('0x')}") for each in ends)
    if end < start:
        raise ConfigError(f"{what} {text!r} ends before it starts")
    return start, end


def _may_be_decimal(match: re.Match[str], text: str) -> bool:
    """Tell whether nothing marks a number as hexadecimal, and decimal would be another one."""
    marked = match["x"] or match["h"] or not text.isdecimal() or text.startswith("0")
    return not marked and 1 < len(text) < _TABLE_DIGITS
