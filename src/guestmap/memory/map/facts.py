"""What a region is: facts that everybody may read, and that change by a commit or not at all.

An assignment that changed the region and not the views that show it would leave the map wrong, in
silence. So to assign a fact calls the method that changes it, and a fact that no method changes
cannot be assigned. The methods themselves use :func:`put`, which costs readers nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import FixedError, StateError
from guestmap.memory.map.checks import checked_name, checked_ops, checked_size
from guestmap.memory.map.children import Children
from guestmap.memory.map.ops import UNASSIGNED_MEM_OPS, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.memory.map.core import MapCore
    from guestmap.memory.map.discard import RamDiscardManager
    from guestmap.memory.map.guard import DeviceGuard
    from guestmap.memory.map.iommu import Iommu
    from guestmap.memory.map.region import MemoryRegion
    from guestmap.memory.map.space import ViewedSpace
    from guestmap.memory.ram.block import RamBlock

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


class RegionFacts:
    """What a region is. To assign a fact that can change is a commit; the others refuse it.

    Attributes:
        name: what ``info mtree`` prints; need not be unique.
        size: bytes, 1 to 2**64.
        addr: offset in the container, in bytes.
        priority: among the siblings; the higher one answers where they overlap.
        enabled: a disabled region is not there, nor is anything below it.
        readonly, nonvolatile, unmergeable: hold for everything below too.
        alias, alias_offset: the region that this one shows a window of, and from where on.
        container: the region that this one is a subregion of.
        terminates: answers accesses itself where no subregion does; False for a pure container.
        ops: the callbacks of a region that is not plain RAM.
        ram, ram_device, rom_device: what kind of memory ``ram_block`` is used as.
        romd_mode: a ROM device that reads like ROM (True) or sends reads to ``ops`` (False).
        ram_block: the host memory, or None.
        discard_manager: knows which parts of its RAM are there; None where all is.
        freed: whether it was given back; such a region can be shown nowhere any more.
        iommu: what translates accesses, if the region is an IOMMU's.
        owner: the device that the region belongs to. While a callback of one of its regions runs,
            accesses to any of them are refused (:mod:`guestmap.memory.map.guard`).
    """

    __slots__ = (
        "_hop",
        "_live",
        "_live_aliases",
        "_order",
        "_route_aliases",
        "_unguarded",
        "_upstream",
        "addr",
        "alias",
        "alias_offset",
        "children",
        "container",
        "dirty_log_mask",
        "discard_manager",
        "enabled",
        "freed",
        "guard",
        "iommu",
        "name",
        "nonvolatile",
        "ops",
        "owner",
        "priority",
        "ram",
        "ram_block",
        "ram_device",
        "readonly",
        "rom_device",
        "romd_mode",
        "size",
        "system",
        "terminates",
        "unmergeable",
    )

    # The topology's notes, whose names begin with an underscore: see guestmap.memory.map.topology.
    _hop: MemoryRegion | None
    _live: int
    _live_aliases: dict[MemoryRegion, None]
    _order: tuple[int, int]
    _route_aliases: dict[MemoryRegion, None]
    _unguarded: bool
    _upstream: dict[ViewedSpace | MemoryRegion, None]
    addr: int
    alias: MemoryRegion | None
    alias_offset: int
    children: Children
    container: MemoryRegion | None
    dirty_log_mask: int
    discard_manager: RamDiscardManager | None
    freed: bool
    guard: DeviceGuard | None
    iommu: Iommu | None
    nonvolatile: bool
    ops: MemoryRegionOps
    owner: object
    priority: int
    name: str
    ram: bool
    ram_block: RamBlock | None
    size: int
    system: MapCore
    enabled: bool
    ram_device: bool
    readonly: bool
    rom_device: bool
    romd_mode: bool
    terminates: bool
    unmergeable: bool

    def __init__(
        self,
        system: MapCore,
        name: str,
        size: int,
        *,
        owner: object = None,
        ops: MemoryRegionOps | None = None,
        **facts: object,
    ) -> None:
        for put_default, default in _DEFAULTS:
            put_default(self, default)
        put(self, "name", checked_name(name))
        system.refuse_if_closed()
        put(self, "system", system)
        put(self, "size", checked_size(name, size))
        put(self, "owner", owner)
        put(self, "guard", system.guards.of(owner))
        put(self, "ops", checked_ops(name, ops) or UNASSIGNED_MEM_OPS)
        put(self, "children", Children())
        put(self, "_live_aliases", {})
        put(self, "_upstream", {})
        put(self, "_route_aliases", {})
        for fact, value in facts.items():
            put(self, fact, value)

    def __setattr__(self, name: str, value: object) -> None:
        setter = _SETTERS.get(name)
        if setter is not None:
            getattr(self, setter)(value)
            return
        rule = _RULES.get(name)
        if rule is not None:
            raise FixedError(f"region {self.name!r}: {name!r} cannot be assigned: {rule}")
        put(self, name, value)

    # -- what it is ------------------------------------------------------------------------------

    @property
    def subregions(self) -> tuple[MemoryRegion, ...]:
        """Subregions by priority, highest first; among equals the last added comes first."""
        return tuple(self.children)

    def mtree_type(self) -> str:
        """Return the type word of ``info mtree``; an alias has its target's."""
        region: RegionFacts = self
        while region.alias is not None:
            region = region.alias
        if region.ram_device:
            return "ramd"
        if region.rom_device and region.romd_mode:
            return "romd"
        if region.ram:
            return "rom" if region.readonly else "ram"
        return "i/o"

    @property
    def reads_directly(self) -> bool:
        """Whether reads are copies from host memory."""
        return (self.ram and not self.ram_device) or (self.rom_device and self.romd_mode)

    @property
    def buffer(self) -> memoryview | None:
        """The whole host memory of the region, writable; None where it has none.

        After writing to it directly, say so with :meth:`ram_written`.

        Raises:
            StateError: the memory system is closed.
        """
        self.check_open()
        return self.ram_block.buffer if self.ram_block is not None else None

    def check_open(self) -> None:
        """Check that something can still be done with the region.

        Raises:
            StateError: the memory system is closed.
        """
        if self.system.closed:
            raise StateError(f"region {self.name!r}: the memory system is closed: make a new one")

    @property
    def active_guard(self) -> DeviceGuard | None:
        """The owner's guard, where it applies: to I/O, unless switched off."""
        if self._unguarded or self.ram or self.rom_device or self.readonly:
            return None
        return self.guard

    def __repr__(self) -> str:
        return (
            f"<MemoryRegion {self.name} {self.mtree_type()} size 0x{self.size:x}"
            f" at 0x{self.addr:x} prio {self.priority}{'' if self.enabled else ' disabled'}>"
        )


_DEFAULTS = tuple(
    (getattr(RegionFacts, name).__set__, value)
    for name, value in {
        "addr": 0, "alias": None, "alias_offset": 0, "container": None, "dirty_log_mask": 0,
        "discard_manager": None, "enabled": True, "freed": False,
        "iommu": None, "nonvolatile": False, "priority": 0, "ram": False,
        "ram_block": None, "ram_device": False, "readonly": False, "rom_device": False,
        "romd_mode": True, "terminates": False, "unmergeable": False,
        "_hop": None, "_live": 0, "_order": (0, 0), "_unguarded": False,
    }.items()
)  # fmt: skip
"""What a region is unless whoever makes it says something else, and how that is set: quickly."""
