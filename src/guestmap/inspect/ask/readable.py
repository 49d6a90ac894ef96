"""Which addresses can be read without being asked of a device, and which cannot.

A read is an access: two of them take two characters out of a serial port. So only what is memory to
read is read, and the rest where somebody says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError, format_size
from guestmap.inspect.ask.spaces import Spaces

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, Snapshot

LIMIT = 16 << 20
"""Bytes that one question reads at most."""
_MEMORY = {"ram", "rom", "romd"}
"""Types of a flat view that give bytes and do nothing else; ``ramd`` is a host device's memory."""


def readable(
    snapshot: Snapshot, start: int, size: int, *, devices: bool | None = False
) -> tuple[RangeInfo, ...]:
    """Return the ranges of what the CPUs see that hold ``size`` bytes at ``start``, in order.

    Args:
        snapshot: the map.
        start: guest-physical address.
        size: bytes.
        devices: whether devices may be read; None where there are none, behind a map in a file.

    Raises:
        ConfigError: too many bytes, or none; nobody answers at one of them; one is a device's, and
            ``devices`` does not say that it may be read.
    """
    end = start + size
    if not 0 < size <= LIMIT or end > ADDRESS_SPACE_SIZE:
        raise ConfigError(
            f"cannot read {size} bytes at {start:#x}: 1 byte to {format_size(LIMIT)}, below 2^64"
        )
    spaces = Spaces(snapshot)
    found = []
    at = start
    for each in spaces.ranges(spaces.find("memory")):
        if each.start + each.size <= at:
            continue
        if each.start > at or at >= end:
            break
        if each.type not in _MEMORY and not devices:
            is_alive = devices is not None
            raise ConfigError(
                f"{at:#x} is not memory: {each.name} answers ({each.type}), and"
                f" {'a read can change what it does' if is_alive else 'no file has its bytes'}:"
                f" read less{_before(at - start)}{', or say --device-reads' * is_alive}"
            )
        found.append(each)
        at = each.start + each.size
    if at < end:
        raise ConfigError(
            f"nobody answers at {at:#x}: read less{_before(at - start)}, or ask 'guestmap explain'"
            " what is near"
        )
    return tuple(found)


def _before(size: int) -> str:
    return f" (the {size} bytes before it)" if size else ""
