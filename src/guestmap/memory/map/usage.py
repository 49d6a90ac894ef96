"""Whether a region can be used: it is one, this machine's, and the memory system is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.memory.map.checks import checked_kind
from guestmap.memory.map.region import MemoryRegion

if TYPE_CHECKING:
    from guestmap.memory.map.transaction import Transactions


def usable(what: str, region: object, transactions: Transactions) -> MemoryRegion:
    """Return a region that something may be done with; ``what`` begins the messages.

    Raises:
        ConfigError: it is no region, or another machine's than ``transactions`` are.
        StateError: the memory system is closed.
    """
    region = checked_kind(what, region, MemoryRegion)
    if region.system.transactions is not transactions:
        raise ConfigError(f"{what} {region.name!r} belongs to another machine")
    region.check_open()
    return region
