"""The header of a PCI function: its configuration space, windows, and interrupt pin.

Registers are those of the PCI Local Bus Specification 3.0, chapter 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.hw.device import DeviceModel
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.bar import Bar
from guestmap.hw.pci.config import ConfigSpace
from guestmap.hw.pci.kind import PciStateT

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.identity import PciIdentity
    from guestmap.hw.pci.master import BusMaster
    from guestmap.memory import MemoryRegion

BAR_PRIORITY = 1


class PciHeader(DeviceModel[PciStateT]):
    """What the header's registers do, whatever the function is.

    Attributes:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        name: what messages and its address space call it.
        config: its configuration space.
        bars: its windows.
    """

    _master: BusMaster

    def __init__(
        self,
        state: PciStateT,
        bus: PciBus,
        devfn: int,
        identity: PciIdentity,
        *,
        name: str,
        multifunction: bool,
    ) -> None:
        super().__init__(state)
        self.bus = bus
        self.changing = bus.placer.changing
        self.devfn = devfn
        self.name = name or self.TYPE.name
        self.config = ConfigSpace()
        self.bars: list[Bar] = []
        self._is_bridge = identity.header_type == reg.HEADER_BRIDGE
        identity.fill(self.config, multifunction=multifunction)

    @property
    def address(self) -> str:
        """Bus, slot and function as ``lspci`` writes them."""
        return f"{self.bus.number:02x}:{self.devfn >> 3:02x}.{self.devfn & 7}"

    @property
    def interrupt_level(self) -> bool:
        """The level of its interrupt pin."""
        return self.state.interrupt

    @property
    def command(self) -> int:
        """The command register."""
        return self.config.read(reg.COMMAND, 2)

    def add_bar(self, slot: int, region: MemoryRegion, kind: int = 0) -> Bar:
        """Give the function a window.

        Args:
            slot: 0 to 5, or 6 for the expansion ROM; a 64-bit window takes two slots.
            region: what appears; its size, a power of two, is the window's.
            kind: BAR_IO, or of BAR_MEMORY_64 and BAR_PREFETCH.

        Raises:
            ConfigError: the slot does not exist, or the size is not a power of two.
        """
        size = region.size
        if size & (size - 1):
            raise ConfigError(
                f"{self.name!r} BAR {slot}: region {region.name!r} has 0x{size:x} bytes;"
                " a BAR's size must be a power of two"
            )
        if not 0 <= slot <= reg.ROM_SLOT:
            raise ConfigError(f"{self.name!r} has no BAR {slot}: give 0 to 6 (6 is the ROM)")
        offset = reg.BAR_0 + 4 * slot
        if slot == reg.ROM_SLOT:
            offset = reg.BRIDGE_ROM_ADDRESS if self._is_bridge else reg.ROM_ADDRESS
        container = self.bus.io_region if kind & reg.BAR_IO else self.bus.memory_region
        bar = Bar(slot, offset, kind, size, region, container)
        width = bar.register_size
        mask = (1 << (8 * width)) - size
        if slot == reg.ROM_SLOT:
            mask |= reg.ROM_ENABLE
        self.config.set(offset, kind, width)
        self.config.allow_write(offset, mask, width)
        self.bars.append(bar)
        return bar

    def add_capability(self, capability: int, offset: int, size: int) -> None:
        """Put a capability of ``size`` bytes at ``offset`` and at the head of the list.

        Its registers are read-only until the device allows writes.
        """
        config = self.config
        config.set(offset, capability)
        config.set(offset + 1, config.data[reg.CAPABILITY_LIST])
        config.set(reg.CAPABILITY_LIST, offset)
        config.data[reg.STATUS] |= reg.STATUS_CAPABILITIES
        config.write_mask[offset : offset + size] = bytes(size)

    # -- configuration accesses --------------------------------------------------------------------

    def config_read(self, offset: int, size: int) -> int:
        """Answer a configuration read of 1, 2 or 4 bytes; any offset is allowed."""
        return self.config.read(offset, size)

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write of 1, 2 or 4 bytes; any offset and value is allowed."""
        self.write_header(offset, value, size)

    def write_header(self, offset: int, value: int, size: int) -> None:
        """Apply a write through the masks, and what the header's registers imply."""
        config = self.config
        if offset >= reg.HEADER_SIZE:
            config.write(offset, value, size)
            return
        end = offset + size
        had_command = offset <= reg.COMMAND + 1 and end > reg.COMMAND
        was_masked = self.command & reg.COMMAND_INTX_DISABLE if had_command else 0
        config.write(offset, value, size)
        if had_command:
            self._interrupt_mask_changed(was_masked)
        if had_command or (end > reg.BAR_0 and offset < reg.BRIDGE_ROM_ADDRESS + 4):
            self.update_mappings(master=offset <= reg.COMMAND < end)

    def _interrupt_mask_changed(self, was_masked: int) -> None:
        is_masked = self.command & reg.COMMAND_INTX_DISABLE
        if is_masked != was_masked and self.state.interrupt:
            self.bus.wires.change(self.devfn, self._pin, -1 if is_masked else 1)

    # -- windows ---------------------------------------------------------------------------------

    def update_mappings(self, *, master: bool = False) -> None:
        """Move every window to where the registers say; ``master``: look at bus mastering too."""
        config = self.config
        moves = [
            (bar, address)
            for bar in self.bars
            if (address := bar.decoded_address(config)) != bar.address
        ]
        on = bool(config.data[reg.COMMAND] & reg.COMMAND_MASTER)
        switched = master and self._master.connected and self._master.enabled != on
        if not moves and not switched:
            return
        parts = [bar.describe_move(address) for bar, address in moves]
        if switched:
            parts.append(f"bus master {'on' if on else 'off'}")
        with self.changing(f"{self.address} {', '.join(parts)}"):
            for bar, address in moves:
                self._place(bar, address)
            if switched:
                self._master.set_enabled(on)

    @staticmethod
    def _place(bar: Bar, address: int | None) -> None:
        # One that moves is the newest of equal windows then, and wins, as in QEMU.
        if bar.address is not None and address is not None:
            bar.region.set_address(address)
        elif bar.address is not None:
            bar.container.del_subregion(bar.region)
        elif address is not None:
            bar.container.add_subregion(address, bar.region, BAR_PRIORITY)
        bar.address = address

    # -- interrupt -------------------------------------------------------------------------------

    @property
    def _pin(self) -> int:
        return max(0, self.config.data[reg.INTERRUPT_PIN] - 1) & 3

    def set_interrupt(self, level: bool) -> None:
        """Drive the function's interrupt pin (level-triggered, shared with others)."""
        if level == self.state.interrupt:
            return
        self.state.interrupt = level
        status = self.config.data[reg.STATUS] & ~reg.STATUS_INTERRUPT
        self.config.data[reg.STATUS] = status | (reg.STATUS_INTERRUPT if level else 0)
        if not self.command & reg.COMMAND_INTX_DISABLE:
            self.bus.wires.change(self.devfn, self._pin, 1 if level else -1)
