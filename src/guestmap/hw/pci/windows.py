"""The windows of a bridge: aliases of the second bus's address regions in the first's.

Base and limit registers: PCI-to-PCI Bridge Architecture 1.2, sections 3.2.5.6 to 3.2.5.9; VGA
forwarding: section 3.2.5.18.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U64
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.header import BAR_PRIORITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.config import ConfigSpace
    from guestmap.memory import MemoryRegion

_MEGABYTE = 0xF_FFFF
_ALL = 0xFFFF_FFFF_FFFF_FFFF
_IO_PAGE = 0xFFF
_BASE_BITS = 0xFFF0
_VGA_MEMORY, _VGA_MEMORY_SIZE = 0xA0000, 0x20000
_VGA_IO_LOW, _VGA_IO_LOW_SIZE = 0x3B0, 0xC
_VGA_IO_HIGH, _VGA_IO_HIGH_SIZE = 0x3C0, 0x20

WINDOWS = 6
"""Windows, VGA's ranges among them."""
_Window = tuple[int, int]
"""First address and bytes; 0 bytes for a closed window."""


def _window(base: int, limit: int, *, is_open: bool) -> _Window:
    if not is_open or limit < base:
        return base, 0
    return base, (limit + 1 - base) & _ALL


def memory_window(config: ConfigSpace) -> _Window:
    """Return the window for memory BARs below 4 GiB."""
    base = (config.read(reg.MEMORY_BASE, 2) & _BASE_BITS) << 16
    limit = (config.read(reg.MEMORY_LIMIT, 2) & _BASE_BITS) << 16 | _MEGABYTE
    return _window(base, limit, is_open=bool(config.data[reg.COMMAND] & reg.COMMAND_MEMORY))


def prefetch_window(config: ConfigSpace) -> _Window:
    """Return the prefetchable window, 64 bits wide."""
    low, high = config.read(reg.PREFETCH_BASE, 2), config.read(reg.PREFETCH_LIMIT, 2)
    base, limit = (low & _BASE_BITS) << 16, (high & _BASE_BITS) << 16 | _MEGABYTE
    base |= config.read(reg.PREFETCH_BASE_UPPER, 4) << 32
    limit |= config.read(reg.PREFETCH_LIMIT_UPPER, 4) << 32
    return _window(base, limit, is_open=bool(config.data[reg.COMMAND] & reg.COMMAND_MEMORY))


def io_window(config: ConfigSpace) -> _Window:
    """Return the window for I/O BARs, 16 bits wide."""
    base = (config.data[reg.IO_BASE] & 0xF0) << 8
    limit = (config.data[reg.IO_LIMIT] & 0xF0) << 8 | _IO_PAGE
    return _window(base, limit, is_open=bool(config.data[reg.COMMAND] & reg.COMMAND_IO))


@dataclass(slots=True)
class WindowState:
    """Where a window is, which lags behind the registers."""

    address: U64 = 0
    size: U64 = 0
    enabled: bool = False
    mapped: bool = False


class BridgeWindows:
    """The three windows and the VGA ranges that a bridge forwards.

    Args:
        config: the bridge's configuration space.
        outer: the bus that the bridge sits on.
        inner: the bus behind it.
        make_alias: makes a region that belongs to the bridge: name, target, offset and size.
    """

    def __init__(
        self,
        config: ConfigSpace,
        outer: PciBus,
        inner: PciBus,
        make_alias: Callable[[str, MemoryRegion, int, int], MemoryRegion],
    ) -> None:
        self._config = config
        self._make_alias = make_alias
        memory, io = inner.memory_region, inner.io_region
        self._windows = (
            (self._alias("pci_bridge_pref_mem", memory), outer.memory_region, prefetch_window),
            (self._alias("pci_bridge_mem", memory), outer.memory_region, memory_window),
            (self._alias("pci_bridge_io", io), outer.io_region, io_window),
        )
        low = self._alias("pci_bridge_vga_io_lo", io, _VGA_IO_LOW, _VGA_IO_LOW_SIZE)
        high = self._alias("pci_bridge_vga_io_hi", io, _VGA_IO_HIGH, _VGA_IO_HIGH_SIZE)
        vga_memory = self._alias("pci_bridge_vga_mem", memory, _VGA_MEMORY, _VGA_MEMORY_SIZE)
        self._vga = (
            (vga_memory, outer.memory_region, reg.COMMAND_MEMORY),
            (low, outer.io_region, reg.COMMAND_IO),
            (high, outer.io_region, reg.COMMAND_IO),
        )
        self.update()

    @property
    def regions(self) -> tuple[MemoryRegion, ...]:
        """The aliases: prefetchable memory, memory and I/O; VGA's I/O (low, high) and memory."""
        windows = tuple(alias for alias, _, _ in self._windows)
        memory, low, high = (alias for alias, _, _ in self._vga)
        return (*windows, low, high, memory)

    def _alias(
        self, name: str, target: MemoryRegion, offset: int = 0, size: int = 1
    ) -> MemoryRegion:
        return self._make_alias(name, target, offset, size)

    def update(self) -> None:
        """Put every window in anew, where the registers say; call it inside a transaction."""
        for alias, container, place in self._windows:
            base, size = place(self._config)
            if alias.container is not None:
                alias.container.del_subregion(alias)
            alias.set_enabled(size > 0)
            alias.set_size(max(1, size))
            alias.set_alias_offset(base)
            container.add_subregion(base, alias, BAR_PRIORITY)
        forwards_vga = self._config.read(reg.BRIDGE_CONTROL, 2) & reg.CONTROL_VGA
        for alias, container, _ in self._vga:
            if alias.container is not None:
                alias.container.del_subregion(alias)
            if forwards_vga:
                container.add_subregion(alias.alias_offset, alias, BAR_PRIORITY)
        self.update_vga()

    def update_vga(self) -> None:
        """Open or close the VGA ranges as the command register says."""
        for alias, _, decode in self._vga:
            alias.set_enabled(bool(self._config.data[reg.COMMAND] & decode))

    def save(self) -> list[WindowState]:
        """Return where the windows are: the three, then the VGA ranges."""
        aliases = [alias for alias, _, _ in (*self._windows, *self._vga)]
        return [
            WindowState(
                each.alias_offset, each.size & _ALL, each.enabled, each.container is not None
            )
            for each in aliases
        ]

    def load(self, saved: list[WindowState]) -> None:
        """Put the windows where they were; call it inside a transaction."""
        for window, (alias, container, _) in zip(saved, (*self._windows, *self._vga), strict=True):
            if alias.container is not None:
                alias.container.del_subregion(alias)
            alias.set_enabled(window.enabled)
            alias.set_size(max(1, window.size))
            alias.set_alias_offset(window.address)
            if window.mapped:
                container.add_subregion(window.address, alias, BAR_PRIORITY)

    def remove(self) -> None:
        """Take every window out of the first bus."""
        for alias, _, _ in (*self._windows, *self._vga):
            if alias.container is not None:
                alias.container.del_subregion(alias)

    def __str__(self) -> str:
        names = ("prefetch", "memory", "I/O")
        parts = []
        for name, (_, _, place) in zip(names, self._windows, strict=True):
            base, size = place(self._config)
            parts.append(f"{name} {base:X}-{base + size - 1:X}" if size else f"{name} closed")
        if self._config.read(reg.BRIDGE_CONTROL, 2) & reg.CONTROL_VGA:
            parts.append("VGA")
        return ", ".join(parts)
