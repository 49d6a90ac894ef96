"""A PCI function: configuration space, windows, interrupt pin, and bus mastering."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from guestmap.base import ConfigError
from guestmap.hw.device import DeviceModel, IoRegion, Space
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.bar import Bar
from guestmap.hw.pci.config import ConfigSpace
from guestmap.hw.pci.kind import PCI_DEVICE, PciState, PciStateT
from guestmap.hw.pci.master import BusMaster
from guestmap.hw.placement import make_region, place

if TYPE_CHECKING:
    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.identity import PciIdentity
    from guestmap.memory import MemoryRegion
    from guestmap.memory.map.transaction import Transaction
    from guestmap.qom import JsonValue, Property

BAR_PRIORITY = 1
_FIXED_REGISTERS = ((reg.VENDOR_ID, 4), (reg.REVISION, 4), (reg.HEADER_TYPE, 1))


class PciFunction(DeviceModel[PciStateT]):
    """One function on a PCI bus.

    A device derives from it, or uses it as it is. Configuration accesses cost the same however
    many functions a machine has.

    Attributes:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        name: what messages and its address space call it.
        label: the user's name for it.
        config: its configuration space.
        bars: its windows.
        bus_master: what it sees as a master: nothing, or all of the system memory, as bit 2 of its
            command register says.
        hotpluggable: whether it can come and go while the machine runs.
        CHOICES: settings, besides its place, that whoever plugs it in may choose.
    """

    TYPE = PCI_DEVICE
    OUTLIVES_RESET: ClassVar[tuple[str, ...]] = ("config", "mastering")
    CHOICES: ClassVar[tuple[str, ...]] = ()
    hotpluggable = True

    def __init__(
        self,
        state: PciStateT,
        bus: PciBus,
        devfn: int,
        identity: PciIdentity,
        *,
        name: str = "",
        multifunction: bool = False,
    ) -> None:
        super().__init__(state)
        self.bus = bus
        self.devfn = devfn
        self.name = name or self.TYPE.name
        self.label = ""
        self.config = ConfigSpace()
        self.bars: list[Bar] = []
        self._is_bridge = identity.header_type == reg.HEADER_BRIDGE
        identity.fill(self.config, multifunction=multifunction)
        bus.attach(self)
        self._master = BusMaster(bus, self.name, owner=self)
        self.bus_master = self._master.space
        if bus.ready:
            self.connect_bus_master()

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

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.address}>"

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        if name == "addr":
            return self.devfn
        if name == "legacy-addr":
            return f"{self.devfn >> 3:02x}.{self.devfn & 7:x}"
        if name == "multifunction":
            return bool(self.config.data[reg.HEADER_TYPE] & reg.HEADER_MULTIFUNCTION)
        return super().value(name, fallback)

    @classmethod
    def choices(cls) -> Iterator[Property]:
        """Yield the properties that whoever plugs it in may choose."""
        for each in cls.TYPE.lineage:
            yield from (prop for prop in each.properties if prop.name in cls.CHOICES)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> PciFunction[Any]:
        """Make a function as the user wants it.

        Args:
            bus: what it is to sit on.
            devfn: slot << 3 | function.
            choices: settings that are not the default, of those in ``CHOICES``.

        Raises:
            ConfigError: that cannot be.
        """
        raise NotImplementedError

    # -- what it is made of ------------------------------------------------------------------------

    def make(self, wanted: IoRegion) -> MemoryRegion:
        """Make a region of its own, which is nowhere yet."""
        return make_region(self.bus.memory, wanted, owner=self)

    def alias(self, name: str, target: MemoryRegion, offset: int, size: int) -> MemoryRegion:
        """Make a window of its own onto another region."""
        return self.bus.memory.alias(name, target, offset, size, owner=self)

    def changing(self, cause: str) -> Transaction:
        """Return the transaction in which it changes the map."""
        return self.bus.memory.transaction(cause)

    def place_blocks(self) -> None:
        """Put what it consists of at its fixed ports."""
        containers = {Space.IO: self.bus.io_region, Space.MEMORY: self.bus.dma_root}
        place(self.bus.memory, containers, self, owner=self)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its view of the memory, its registers at fixed ports, and its windows."""
        yield self._master.container
        yield from super().shown_regions()
        yield from (bar.region for bar in self.bars)

    # -- set-up ----------------------------------------------------------------------------------

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

    def connect_bus_master(self) -> None:
        """Let the function reach memory once its command register says so.

        QEMU does this when the machine is complete, or at once for a function plugged later.
        """
        self._master.connect()

    def remove(self) -> None:
        """Take the function out of the machine: its windows, its interrupt, its address space."""
        with self.bus.memory.transaction(f"{self.address} {self.name} removed"):
            self.set_interrupt(False)
            for bar in self.bars:
                self._place(bar, None)
            self.bus.detach(self)
            self._master.remove()

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
        was_masked = self.command & reg.COMMAND_INTX_DISABLE
        config.write(offset, value, size)
        if had_command:
            self._interrupt_mask_changed(was_masked)
        if had_command or (end > reg.BAR_0 and offset < reg.BRIDGE_ROM_ADDRESS + 4):
            self.update_mappings(master=offset <= reg.COMMAND < end)

    def _interrupt_mask_changed(self, was_masked: int) -> None:
        is_masked = self.command & reg.COMMAND_INTX_DISABLE
        if is_masked != was_masked and self.state.interrupt:
            self.bus.change_interrupt(self.devfn, self._pin, -1 if is_masked else 1)

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
        with self.bus.memory.transaction(f"{self.address} {', '.join(parts)}"):
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
            self.bus.change_interrupt(self.devfn, self._pin, 1 if level else -1)

    # -- saving ----------------------------------------------------------------------------------

    def save(self) -> PciStateT:
        """Return the configuration space and the rest."""
        self.state.config = bytes(self.config.data)
        self.state.mastering = self._master.enabled
        return super().save()

    def load(self, state: PciStateT) -> None:
        """Go on from there: windows move to where the registers say.

        Raises:
            ConfigError: these are another function's registers.
        """
        for first, size in _FIXED_REGISTERS:
            if state.config[first : first + size] != self.config.data[first : first + size]:
                raise ConfigError(f"saved state of {self.title}: another device's at {first:02x}h")
        super().load(state)
        self.config.data[:] = self.state.config
        self.update_mappings()
        self._master.set_enabled(self.state.mastering)

    # -- reset -----------------------------------------------------------------------------------

    def reset(self) -> None:
        """Reset the header as the bus reset does: no decoding, no windows, no interrupt.

        The bus master window keeps its state until the next write of the command register (as in
        QEMU 7.2), and registers above the header keep theirs unless the device says otherwise.
        """
        config = self.config
        self.set_interrupt(False)
        super().reset()
        config.clear_guest_bits(reg.COMMAND, 2)
        config.clear_guest_bits(reg.STATUS, 2)
        config.clear_guest_bits(reg.INTERRUPT_LINE, 1)
        config.set(reg.CACHE_LINE_SIZE, 0)
        for bar in self.bars:
            config.set(bar.offset, bar.kind, bar.register_size)
        self.update_mappings()


class PciDevice(PciFunction[PciState]):
    """A function with nothing but its header."""

    def __init__(
        self,
        bus: PciBus,
        devfn: int,
        name: str,
        identity: PciIdentity,
        *,
        multifunction: bool = False,
    ) -> None:
        super().__init__(PciState(), bus, devfn, identity, name=name, multifunction=multifunction)
