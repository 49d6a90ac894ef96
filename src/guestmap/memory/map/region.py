"""Memory regions: the nodes of the tree that a machine's memory is.

One class serves every kind, as in QEMU (docs/devel/memory.rst, "Types of regions"): what a region
is follows from its fields. Make regions through :class:`guestmap.memory.MemorySystem`, which owns
them; every mutation here ends in that system's transaction.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, cast

from guestmap.base import ConfigError
from guestmap.memory.map import ram_regions
from guestmap.memory.map.assignment import AssignedFacts, put
from guestmap.memory.map.checks import (
    checked_address,
    checked_flag,
    checked_kind,
    checked_number,
    checked_size,
)
from guestmap.memory.map.facts import RegionFacts
from guestmap.memory.map.ops import Endianness
from guestmap.memory.map.placement import check_adoption, check_free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.base import AddrRange
    from guestmap.memory.map.discard import RamDiscardManager


class MemoryRegion(AssignedFacts):
    """A node of the tree. Read its facts freely.

    To assign a fact is to call its method: ``region.enabled = False`` is ``set_enabled(False)``.
    Every mutation raises a :class:`~guestmap.base.StateError` once the memory system is closed.
    """

    __slots__ = ()

    def __init__(self, *_facts: object, **_more: object) -> None:
        raise ConfigError(
            "a region is made by a MemorySystem: call its container(), io(), ram() ..."
        )

    @property
    def disable_reentrancy_guard(self) -> bool:
        """Whether the region answers while another callback of its device runs.

        Set it for devices that reach themselves on purpose, and for callbacks that many threads
        may run at once (QEMU's "lockless" regions).
        """
        return self._unguarded

    @disable_reentrancy_guard.setter
    def disable_reentrancy_guard(self, disabled: bool) -> None:
        self.check_open()
        self._unguarded = self._flag("disable_reentrancy_guard", disabled)
        self.system.topology.forget_plans()

    def set_native_endianness(self, order: Endianness) -> None:
        """Say what NATIVE means for the region's callbacks; until then it is LITTLE.

        Raises:
            ConfigError: it is no byte order.
        """
        self.check_open()
        checked_kind(f"region {self.name!r}: byte order", order, Endianness)
        if self.ops.endianness is Endianness.NATIVE:
            put(self, "ops", replace(self.ops, endianness=order))
            self.system.topology.forget_plans()

    def ram_written(self, offset: int, length: int) -> None:
        """Tell engines that the host changed ``length`` bytes of the region's memory.

        Raises:
            ConfigError: they are no whole numbers, or no part of the region.
        """
        self.check_open()
        offset = checked_address(f"region {self.name!r}: offset", offset)
        length = checked_number(f"region {self.name!r}: length", length)
        if length < 0 or offset + length > self.size:
            raise ConfigError(
                f"region {self.name!r} of 0x{self.size:x} bytes has no {length:#x} at 0x{offset:x}"
            )
        if self.ram_block is not None:
            self.ram_block.written(offset, length)

    # -- the tree --------------------------------------------------------------------------------

    def add_subregion(
        self,
        offset: int,
        child: MemoryRegion,
        priority: int = 0,
        *,
        overlap: Literal["allow", "refuse"] = "allow",
    ) -> None:
        """Place ``child`` at ``offset`` bytes in this region.

        A child may reach beyond this region (it is clipped) and overlap its siblings: the one of
        higher priority answers, among equals the one added last. With ``overlap="refuse"`` it may
        do neither.

        Raises:
            ConfigError: this region is an alias, ``child`` already has a container, is this
                region or one that holds it, belongs to another machine, or the offset is not an
                address; or an overlap is refused.
            StateError: the memory system is closed.
        """
        offset, priority = check_adoption(self, offset, child, priority)
        if overlap != "allow":
            check_free(self, offset, child, overlap)
        self.system.topology.link(self, child, offset, priority)

    def gaps(self, size: int, align: int = 1) -> Iterator[AddrRange]:
        """Yield where ``size`` bytes are free, lowest first.

        Each range is as long as the gap allows and starts at a multiple of ``align`` bytes. What a
        subregion covers is taken, disabled or not, whatever its priority.

        Raises:
            ConfigError: the size is not 1 to 2**64, or ``align`` is no positive number.
        """
        checked_size(self.name, size)
        return self.children.gaps(self.size, size, checked_size(f"{self.name}, alignment", align))

    def del_subregion(self, child: MemoryRegion) -> None:
        """Take ``child`` out of this region.

        Raises:
            ConfigError: ``child`` is not a subregion of this one.
        """
        checked_kind(f"cannot remove from {self.name!r}:", child, MemoryRegion)
        if child.container is not self:
            raise ConfigError(
                f"region {child.name!r} is not a subregion of {self.name!r}:"
                f" it is in {child.container.name if child.container else 'no container'!r}"
            )
        self.system.topology.unlink(child)

    # -- mutations: each a transaction of its own, unless one is open ------------------------------

    def set_enabled(self, enabled: bool) -> None:
        """Make the region, and all below it, be there or not."""
        self._assign_flag("enabled", enabled)

    def set_address(self, addr: int) -> None:
        """Move the region in its container; it becomes the newest among its equals."""
        addr = checked_address(f"region {self.name!r}:", addr)
        if self.container is None or addr == self.addr:
            self.system.topology.assign(self, "addr", addr)
        else:
            self.system.topology.move(self, addr)

    def set_size(self, size: int) -> None:
        """Change the size, in bytes.

        Raises:
            ConfigError: not 1 to 2**64, or more than the region's RAM block holds.
        """
        size = checked_size(self.name, size)
        if self.ram_block is not None:
            room = len(self.ram_block.buffer) if self.ram_device else self.ram_block.max_length
            if size > room:
                raise ConfigError(
                    f"region {self.name!r}: size 0x{size:x} is more than the 0x{room:x} bytes"
                    " of its memory"
                )
        self.system.topology.assign(self, "size", size)

    def set_discard_manager(self, manager: RamDiscardManager | None) -> None:
        """Say that only parts of this RAM are there, or (None) that all is again.

        Raises:
            ConfigError: the manager was made for another region.
            StateError: the region is in a container or shown, or has a manager already.
        """
        ram_regions.attach_discard_manager(self, manager)

    def resize_ram(self, size: int) -> None:
        """Change how much RAM the region has, in bytes, and the region's size with it.

        See :meth:`MemorySystem.resizeable_ram`.

        Raises:
            ConfigError: the RAM keeps its size, or cannot grow so far.
        """
        ram_regions.resize(self, size)

    def set_alias_offset(self, offset: int) -> None:
        """Make an alias show its target from ``offset`` bytes on.

        Raises:
            ConfigError: the region is not an alias, or the offset is not an address.
        """
        if self.alias is None:
            raise ConfigError(f"region {self.name!r} is not an alias and has no alias offset")
        offset = checked_address(f"alias {self.name!r}: offset", offset)
        self.system.topology.assign(self, "alias_offset", offset)

    def set_readonly(self, readonly: bool) -> None:
        """Refuse writes to the region and all below it, or accept them.

        Raises:
            ConfigError: its memory is a file that is mapped for reading only.
        """
        if not readonly and self.ram_block is not None and self.ram_block.buffer.readonly:
            raise ConfigError(f"region {self.name!r}: its memory is mapped for reading only")
        self._assign_flag("readonly", readonly)

    def set_nonvolatile(self, nonvolatile: bool) -> None:
        """Say that the region's memory outlives the machine."""
        self._assign_flag("nonvolatile", nonvolatile)

    def set_unmergeable(self, unmergeable: bool) -> None:
        """Keep the region's ranges from being joined with their neighbours."""
        self._assign_flag("unmergeable", unmergeable)

    def set_romd_mode(self, romd_mode: bool) -> None:
        """Switch a ROM device between reading like ROM and sending reads to its ops.

        Raises:
            ConfigError: the region is not a ROM device.
        """
        if not self.rom_device:
            raise ConfigError(f"region {self.name!r} is not a ROM device and has no romd mode")
        self._assign_flag("romd_mode", romd_mode)

    def _assign_flag(self, name: str, value: object) -> None:
        self.system.topology.assign(self, name, self._flag(name, value))

    def _flag(self, name: str, value: object) -> bool:
        if value is True or value is False:
            return value
        return checked_flag(f"region {self.name!r}: {name}", value)


def sealed(facts: RegionFacts) -> MemoryRegion:
    """Return the region that has these facts, which is finished: see :class:`AssignedFacts`."""
    facts.__class__ = MemoryRegion
    return cast("MemoryRegion", facts)
