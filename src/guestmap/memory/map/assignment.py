"""What it means to assign a fact of a region: a commit, or an error.

An assignment that changed the region and not the views that show it would leave the map wrong, in
silence. So to assign a fact calls the method that changes it, and a fact that no method changes
cannot be assigned. The methods themselves use :func:`put`, which costs readers nothing.
"""

from __future__ import annotations

from guestmap.base import FixedError
from guestmap.memory.map.facts import RegionFacts

put = object.__setattr__
"""``put(region, name, value)`` sets a fact, without telling anybody."""

_MADE = "it is fixed when the region is made"
_SETTERS = {
    "addr": "set_address",
    "alias_offset": "set_alias_offset",
    "discard_manager": "set_discard_manager",
    "enabled": "set_enabled",
    "nonvolatile": "set_nonvolatile",
    "readonly": "set_readonly",
    "romd_mode": "set_romd_mode",
    "size": "set_size",
    "unmergeable": "set_unmergeable",
}
"""The method that an assignment calls, of the facts that QEMU has a ``memory_region_set_`` for."""

_CHANGED_BY = {
    "children": "add_subregion() and del_subregion()",
    "container": "add_subregion() and del_subregion() of the container",
    "dirty_log_mask": "MemorySystem.dirty_logging",
    "freed": "MemorySystem.free()",
    "priority": "del_subregion() and add_subregion() of the container",
}
_RULES = {name: f"use {method}" for name, method in _CHANGED_BY.items()} | dict.fromkeys(
    (
        "alias", "guard", "iommu", "name", "ops", "owner", "ram", "ram_block", "ram_device",
        "rom_device", "system", "terminates",
    ),
    _MADE,
)  # fmt: skip


class AssignedFacts(RegionFacts):
    """The facts of a region that is made."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> None:
        setter = _SETTERS.get(name)
        if setter is not None:
            getattr(self, setter)(value)
            return
        rule = _RULES.get(name)
        if rule is not None:
            raise FixedError(f"region {self.name!r}: {name!r} cannot be assigned: {rule}")
        put(self, name, value)

    def __delattr__(self, name: str) -> None:
        raise FixedError(
            f"region {self.name!r}: {name!r} cannot be deleted: a region has all facts"
        )
