"""The PCI-to-PCI bridge ``pci-bridge`` (1b36:0001): windows onto a second bus.

Registers follow the PCI-to-PCI Bridge Architecture 1.2, section 3.2. The windows are aliases of the
second bus's address regions in the first's (QEMU docs/devel/memory.rst). As in QEMU 7.2, every
write to the command, window or control registers puts all windows in anew, so they become the
newest among equals, and a reset leaves them where they are until the next such write.
"""

from __future__ import annotations

from dataclasses import dataclass

from guestmap.base import ADDRESS_SPACE_SIZE, GIB, ConfigError
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.bus import PciBus
from guestmap.hw.pci.device import PciDevice
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.msi import MsiCapability
from guestmap.hw.pci.shpc import HotplugController
from guestmap.hw.pci.state import ConfigBytes, PciState
from guestmap.hw.pci.windows import BridgeWindows

_IDENTITY = PciIdentity(0x1B36, 0x0001, 0x0604, subsystem=None, header_type=reg.HEADER_BRIDGE)
_BRIDGE_STATUS = reg.STATUS_66MHZ | reg.STATUS_FAST_BACK
_CAPABILITIES = 0x40
_SLOT_ID_LENGTH = 4
_SHPC_LENGTH = 8
_FIRST_IN_CHASSIS = 1 << 5


@dataclass(slots=True)
class BridgeState(PciState):
    """Besides the header: the interrupt that was told of, and the hot-plug registers."""

    messaged: bool = False
    hotplug: ConfigBytes | None = None


class PciBridge(PciDevice):
    """A bridge with a hot-plug controller and a message-signalled interrupt.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        chassis: number of the chassis that the slots behind it belong to, 1 to 255.
        hotplug: whether it has the standard hot-plug controller.
        multifunction: whether its slot has further functions.

    Attributes:
        secondary: the bus behind it.

    Raises:
        ConfigError: the chassis number is missing or too large, or the slot is taken.
    """

    hotpluggable = False

    def __init__(
        self,
        bus: PciBus,
        devfn: int,
        *,
        chassis: int,
        hotplug: bool = True,
        multifunction: bool = False,
        owner: object = None,
    ) -> None:
        if not 0 < chassis < 256:
            raise ConfigError(
                f"PCI bridge: chassis number {chassis} is impossible:"
                " give each bridge its own, 1 to 255"
            )
        super().__init__(
            bus, devfn, "pci-bridge", _IDENTITY, multifunction=multifunction, owner=owner
        )
        self._fill_bridge_config()
        memory = bus.memory
        self.secondary = PciBus(
            memory,
            memory.container("pci_bridge_pci", ADDRESS_SPACE_SIZE, owner=self.owner),
            memory.container("pci_bridge_io", 4 * GIB, owner=self.owner),
            bus.dma_root,
            bridge=self,
        )
        self.windows = BridgeWindows(self.config, bus, self.secondary, owner=self.owner)
        self._hotplug: HotplugController | None = None
        self._msi: MsiCapability | None = None
        next_capability = _CAPABILITIES
        if hotplug:
            self._hotplug = HotplugController(
                self, self.secondary, next_capability, self._hotplug_interrupt
            )
            self.secondary.on_attach = self._hotplug.attached
            next_capability += _SHPC_LENGTH
        self._add_slot_id(next_capability, chassis)
        if self._hotplug is not None:
            self.config.set(reg.INTERRUPT_PIN, 1)
            self._msi = MsiCapability(self, next_capability + _SLOT_ID_LENGTH)
            self.add_bar(0, self._hotplug.region, reg.BAR_MEMORY_64)
        self._messaged = False

    def _fill_bridge_config(self) -> None:
        config = self.config
        config.set(reg.STATUS, _BRIDGE_STATUS, 2)
        config.set(reg.SECONDARY_STATUS, _BRIDGE_STATUS, 2)
        config.allow_clear(reg.SECONDARY_STATUS, reg.STATUS_CLEARABLE, 2)
        config.allow_write(reg.PRIMARY_BUS, 0xFFFF_FFFF, 4)
        config.allow_write(reg.IO_BASE, 0xF0F0, 2)
        config.allow_write(reg.MEMORY_BASE, 0xFFF0_FFF0, 4)
        config.allow_write(reg.PREFETCH_BASE, 0xFFF0_FFF0, 4)
        config.allow_write(reg.PREFETCH_BASE_UPPER, 0xFFFF_FFFF_FFFF_FFFF, 8)
        config.allow_write(reg.BRIDGE_CONTROL, reg.CONTROL_WRITABLE, 2)
        config.allow_clear(reg.BRIDGE_CONTROL, reg.CONTROL_DISCARD_STATUS, 2)
        self._reset_bridge_config()

    def _reset_bridge_config(self) -> None:
        config = self.config
        config.set(reg.PRIMARY_BUS, 0, 4)
        config.set(reg.IO_BASE, 0, 2)
        config.set(reg.MEMORY_BASE, 0, 4)
        config.set(reg.PREFETCH_BASE, reg.PREFETCH_64BIT | reg.PREFETCH_64BIT << 16, 4)
        config.set(reg.PREFETCH_BASE_UPPER, 0, 8)
        config.set(reg.BRIDGE_CONTROL, 0, 2)

    def _add_slot_id(self, offset: int, chassis: int) -> None:
        self.add_capability(reg.CAPABILITY_SLOT_ID, offset, _SLOT_ID_LENGTH)
        self.config.set(offset + 2, _FIRST_IN_CHASSIS)
        self.config.set(offset + 3, chassis)
        self.config.allow_write(offset + 3, 0xFF)

    def _hotplug_interrupt(self, level: bool) -> None:
        if self._msi is None:
            return
        if self._msi.enabled:
            if level and not self._messaged:
                self._msi.notify()
        else:
            self.set_interrupt(level)
        self._messaged = level

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write; move windows, renumber and reset the second bus."""
        config = self.config
        end = offset + size
        had_control = config.read(reg.BRIDGE_CONTROL, 2)
        self.write_header(offset, value, size)
        if _touches_windows(offset, end):
            with self.bus.memory.transaction(f"{self.address} bridge windows: {self.windows}"):
                self.windows.update()
        if end > reg.PRIMARY_BUS and offset < reg.HEADER_SIZE:
            self.bus.root.forget_numbers()
        rising = config.read(reg.BRIDGE_CONTROL, 2) & ~had_control
        if rising & reg.CONTROL_BUS_RESET:
            self.secondary.reset()
        if self._msi is not None:
            self._msi.written(offset, size)
        if self._hotplug is not None:
            self._hotplug.config_written(offset, size)

    def save(self) -> BridgeState:
        """Return a copy of the state; what is behind the bridge is saved on its own."""
        hotplug = self._hotplug.state if self._hotplug is not None else None
        return BridgeState(**self._header(), messaged=self._messaged, hotplug=hotplug)

    def load(self, state: PciState) -> None:
        """Go on from a state that was saved; the windows are where the registers say."""
        super().load(state)
        assert isinstance(state, BridgeState)
        self._messaged = state.messaged
        if self._hotplug is not None and state.hotplug is not None:
            self._hotplug.load(state.hotplug)
        with self.bus.memory.transaction(f"{self.address} bridge windows: {self.windows}"):
            self.windows.update()
        self.bus.root.forget_numbers()

    def reset(self) -> None:
        """Reset the bridge and everything behind it; the windows stay until the next write."""
        super().reset()
        self._reset_bridge_config()
        self.bus.root.forget_numbers()
        self.windows.update_vga()
        if self._msi is not None:
            self._msi.reset()
        self.secondary.reset()
        if self._hotplug is not None:
            self._hotplug.reset()

    def remove(self) -> None:
        """Take the bridge and everything behind it out of the machine."""
        with self.bus.memory.transaction(f"{self.address} {self.name} removed"):
            for device in tuple(self.secondary.devices.values()):
                device.remove()
            self.windows.remove()
            self.bus.children.remove(self.secondary)
            super().remove()
            self.bus.root.forget_numbers()


def _touches_windows(offset: int, end: int) -> bool:
    """Whether a write may move a window: command, bases and limits (to 33h), control."""
    return any(
        offset < first + length and end > first
        for first, length in (
            (reg.COMMAND, 2),
            (reg.IO_BASE, 2),
            (reg.MEMORY_BASE, 20),
            (reg.BRIDGE_CONTROL, 2),
        )
    )
