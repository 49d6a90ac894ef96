"""A PCI function: what it is made of, how it comes and goes, what is saved of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, ClassVar

from guestmap.base import ConfigError
from guestmap.hw.device import IoRegion, Space
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.header import PciHeader
from guestmap.hw.pci.kind import PCI_DEVICE, PciState, PciStateT
from guestmap.hw.pci.master import BusMaster

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.hw.pci.bus import PciBus
    from guestmap.hw.pci.identity import PciIdentity
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue, Property

_FIXED_REGISTERS = ((reg.VENDOR_ID, 4), (reg.REVISION, 4), (reg.HEADER_TYPE, 1))


class PciFunction(PciHeader[PciStateT]):
    """One function on a PCI bus.

    A device derives from it, or uses it as it is. Configuration accesses cost the same however
    many functions a machine has.

    Attributes:
        label: the user's name for it.
        bus_master: what it sees as a master: nothing, or all of the system memory, as bit 2 of its
            command register says.
        hotpluggable: whether it can come and go while the machine runs.
        ROM_FILE: the option ROM that the distribution has for it; "" for none.
        CHOICES: settings, besides its place, that whoever plugs it in may choose.
    """

    TYPE = PCI_DEVICE
    OUTLIVES_RESET: ClassVar[tuple[str, ...]] = ("config", "mastering")
    CHOICES: ClassVar[tuple[str, ...]] = ()
    ROM_FILE: ClassVar[str] = ""
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
        super().__init__(state, bus, devfn, identity, name=name, multifunction=multifunction)
        self.label = ""
        bus.attach(self)
        self._master = BusMaster(bus, self.name, owner=self)
        self.bus_master = self._master.space
        if bus.ready:
            self.connect_bus_master()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} at {self.address}>"

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        if name == "addr":
            return self.devfn
        if name == "legacy-addr":
            return f"{self.devfn >> 3:02x}.{self.devfn & 7:x}"
        if name == "romfile" and self.ROM_FILE:
            return self.ROM_FILE
        if name == "romsize":
            return next((bar.size for bar in self.bars if bar.slot == reg.ROM_SLOT), fallback)
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

    def wind(self, clock: Clock) -> None:
        """Take the machine's clock: of a function that was plugged in, before anything runs."""

    # -- what it is made of ------------------------------------------------------------------------

    def make(self, wanted: IoRegion) -> MemoryRegion:
        """Make a region of its own, which is nowhere yet."""
        return self.bus.placer.make(wanted, owner=self)

    def make_ram(self, name: str, size: int, *, readonly: bool = False) -> MemoryRegion:
        """Make memory of its own, in bytes, which is nowhere yet; its block is named by place."""
        region = self.bus.placer.make_ram(name, size, readonly=readonly, owner=self)
        assert region.ram_block is not None
        region.ram_block.name = f"0000:{self.address}/{name}"
        return region

    def add_rom(self, content: bytes) -> None:
        """Give the function its option ROM, in a window of the next power of two."""
        size = max(reg.ROM_SMALLEST, 1 << (len(content) - 1).bit_length())
        name = self.TYPE.name.lower().replace("-", "_")
        rom = self.make_ram(f"{name}.rom", size, readonly=True)
        assert rom.buffer is not None
        rom.buffer[: len(content)] = content
        self.add_bar(reg.ROM_SLOT, rom)

    def alias(self, name: str, target: MemoryRegion, offset: int, size: int) -> MemoryRegion:
        """Make a window of its own onto another region."""
        return self.bus.placer.make_alias(name, target, offset, size, owner=self)

    def place_blocks(self) -> None:
        """Put what it consists of at its fixed ports."""
        containers = {Space.IO: self.bus.io_region, Space.MEMORY: self.bus.dma_root}
        self.bus.placer.place(containers, self, owner=self)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its view of the memory, its registers at fixed ports, and its windows."""
        yield self._master.container
        yield from super().shown_regions()
        yield from (bar.region for bar in self.bars)

    def connect_bus_master(self) -> None:
        """Let the function reach memory once its command register says so.

        QEMU does this when the machine is complete, or at once for a function plugged later.
        """
        self._master.connect()

    def remove(self) -> None:
        """Take the function out of the machine: its windows, its interrupt, its address space."""
        with self.changing(f"{self.address} {self.name} removed"):
            self.set_interrupt(False)
            for bar in self.bars:
                self._place(bar, None)
            self.bus.detach(self)
            self._master.remove()

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
