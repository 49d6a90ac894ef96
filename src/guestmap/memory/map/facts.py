"""What a region is, which everybody may read and only its methods change.

An assignment would change the region and not the views that show it: the map would be wrong from
then on, in silence. So it is refused. The methods themselves use :func:`put`, which costs readers
nothing.
"""

from __future__ import annotations

from operator import index

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError, FixedError
from guestmap.memory.map.ops import MemoryRegionOps

put = object.__setattr__
"""``put(region, name, value)`` sets a fact, without telling anybody."""

_MADE = "it is fixed when the region is made"
_CHANGED_BY = {
    "addr": "set_address()",
    "alias_offset": "set_alias_offset()",
    "children": "add_subregion() and del_subregion()",
    "coalesced": "add_coalescing() and clear_coalescing()",
    "container": "add_subregion() and del_subregion() of the container",
    "dirty_log_mask": "set_log()",
    "discard_manager": "set_discard_manager()",
    "enabled": "set_enabled()",
    "flush_coalesced": "set_flush_coalesced()",
    "freed": "MemorySystem.free()",
    "ioeventfds": "add_eventfd() and del_eventfd()",
    "nonvolatile": "set_nonvolatile()",
    "priority": "del_subregion() and add_subregion() of the container",
    "readonly": "set_readonly()",
    "romd_mode": "set_romd_mode()",
    "size": "set_size()",
    "unmergeable": "set_unmergeable()",
    "vga_logging_users": "set_log()",
}
_RULES = {name: f"use {method}" for name, method in _CHANGED_BY.items()} | dict.fromkeys(
    (
        "alias", "guard", "iommu", "name", "ops", "owner", "ram", "ram_block", "ram_device",
        "rom_device", "system", "terminates",
    ),
    _MADE,
)  # fmt: skip


class RegionFacts:
    """The part of :class:`guestmap.memory.MemoryRegion` that refuses assignments."""

    __slots__ = ()

    name: str

    def __setattr__(self, name: str, value: object) -> None:
        rule = _RULES.get(name)
        if rule is not None:
            raise FixedError(f"region {self.name!r}: {name!r} cannot be assigned: {rule}")
        put(self, name, value)


def checked_name(name: object) -> str:
    """Return the name of a region.

    Raises:
        ConfigError: it is no text.
    """
    if not isinstance(name, str):
        raise ConfigError(f"region {name!r}: a region's name is text, not {_kind(name)}")
    return name


def checked_ops(name: str, ops: object) -> MemoryRegionOps | None:
    """Return the callbacks of a region, or None where it has none.

    Raises:
        ConfigError: they are something else.
    """
    if ops is not None and not isinstance(ops, MemoryRegionOps):
        raise ConfigError(
            f"region {name!r}: its callbacks are {_kind(ops)}: give a MemoryRegionOps"
        )
    return ops


def checked_size(name: str, size: object) -> int:
    """Return the size of a region, in bytes.

    Raises:
        ConfigError: it is no whole number, or not 1 to 2**64.
    """
    number = whole(size)
    if number is None:
        raise ConfigError(
            f"region {name!r}: size {size!r} is {_kind(size)}: give a whole number of bytes"
        )
    if not 0 < number <= ADDRESS_SPACE_SIZE:
        raise ConfigError(
            f"region {name!r}: size {number:#x} is impossible: give 1 to 0x{ADDRESS_SPACE_SIZE:x}"
        )
    return number


def checked_address(what: str, address: object) -> int:
    """Return an address or an offset; ``what`` begins the message.

    Raises:
        ConfigError: it is no whole number, or not 0 to 2**64 - 1.
    """
    number = whole(address)
    if number is None:
        raise ConfigError(f"{what} {address!r} is {_kind(address)}: give the address as a number")
    if not 0 <= number < ADDRESS_SPACE_SIZE:
        raise ConfigError(f"{what} {number:#x} is not an address")
    return number


def whole(value: object) -> int | None:
    """Return a whole number of whatever type; None for what is none."""
    try:
        return index(value)  # type: ignore[arg-type]
    except TypeError:
        return None


def _kind(value: object) -> str:
    return "None" if value is None else f"of type {type(value).__name__}"
