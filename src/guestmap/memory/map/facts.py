"""What a region is: the facts that rendering, dispatch and everybody else read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import StateError
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


class RegionFacts:
    """What a region is: plain attributes while it is made, then :class:`AssignedFacts`.

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
        alias: MemoryRegion | None = None,
        alias_offset: int = 0,
        ram: bool = False,
        ram_device: bool = False,
        readonly: bool = False,
        rom_device: bool = False,
        terminates: bool = False,
    ) -> None:
        self.name = checked_name(name)
        system.refuse_if_closed()
        self.system = system
        self.size = checked_size(name, size)
        self.owner = owner
        self.guard = system.guards.of(owner)
        self.ops = checked_ops(name, ops) or UNASSIGNED_MEM_OPS
        self.alias = alias
        self.alias_offset = alias_offset
        self.ram = ram
        self.ram_device = ram_device
        self.readonly = readonly
        self.rom_device = rom_device
        self.terminates = terminates
        self.ram_block = None
        self.iommu = None
        self.addr = 0
        self.priority = 0
        self.enabled = True
        self.container = None
        self.children = Children()
        self.nonvolatile = False
        self.unmergeable = False
        self.romd_mode = True
        self.dirty_log_mask = 0
        self.discard_manager = None
        self.freed = False
        self._unguarded = False
        self._hop = None
        self._live = 0
        self._order = (0, 0)
        self._live_aliases = {}
        self._upstream = {}
        self._route_aliases = {}

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
