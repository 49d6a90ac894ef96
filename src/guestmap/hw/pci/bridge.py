"""The PCI-to-PCI bridge ``pci-bridge`` (1b36:0001): windows onto a second bus.

Registers follow the PCI-to-PCI Bridge Architecture 1.2, section 3.2. The windows are aliases of the
second bus's address regions in the first's (QEMU docs/devel/memory.rst). As in QEMU 7.2, every
write to the command, window or control registers puts all windows in anew, so they become the
newest among equals, and a reset leaves them where they are until the next such write.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from guestmap.base import ADDRESS_SPACE_SIZE, GIB, ConfigError
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ON_OFF_AUTO, SWITCH, declare, setting
from guestmap.hw.device import IoRegion
from guestmap.hw.pci import registers as reg
from guestmap.hw.pci.bridge_header import (
    fill_bridge_header,
    reset_bridge_header,
    touches_windows,
)
from guestmap.hw.pci.bus import PciBus
from guestmap.hw.pci.device import PciFunction
from guestmap.hw.pci.identity import PciIdentity
from guestmap.hw.pci.kind import IS_PCI, PCI_DEVICE, PciState
from guestmap.hw.pci.msi import MsiCapability
from guestmap.hw.pci.shpc import HotplugController
from guestmap.hw.pci.windows import WINDOWS, BridgeWindows, WindowState
from guestmap.qom import BOOL, SIZE, UINT8, UINT32

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue

_IDENTITY = PciIdentity(0x1B36, 0x0001, 0x0604, subsystem=None, header_type=reg.HEADER_BRIDGE)
_CAPABILITIES = 0x40
_SLOT_ID_LENGTH = 4
_SHPC_LENGTH = 8
_FIRST_IN_CHASSIS = 1 << 5
_ANY_SIZE = 0xFFFF_FFFF_FFFF_FFFF


BASE_PCI_BRIDGE = declare("base-pci-bridge", PCI_DEVICE, abstract=True)


@dataclass(slots=True)
class BridgeState(PciState):
    """The hot-plug controller's registers, whether its message was sent, and the windows."""

    hotplug: Annotated[bytes, Meta(min_length=reg.CONFIG_SIZE, max_length=reg.CONFIG_SIZE)] = bytes(
        reg.CONFIG_SIZE
    )
    messaged: bool = False
    windows: Annotated[list[WindowState], Meta(max_length=WINDOWS)] = field(default_factory=list)


class PciBridge(PciFunction[BridgeState]):
    """A bridge with a hot-plug controller and a message-signalled interrupt.

    Args:
        bus: the bus that it sits on.
        devfn: slot << 3 | function.
        chassis: number of the chassis that the slots behind it belong to, 1 to 255.
        shpc: whether it has the standard hot-plug controller.
        multifunction: whether its slot has further functions.

    Attributes:
        secondary: the bus behind it.
        hotplug: switches the slots behind it; None where nobody does.

    Raises:
        ConfigError: the chassis number is missing or too large, or the slot is taken.
    """

    TYPE = declare(
        "pci-bridge",
        BASE_PCI_BRIDGE,
        setting("chassis_nr", UINT8, 0),
        setting("msi", ON_OFF_AUTO, "auto", "on/off/auto"),
        setting("shpc", BOOL, True, SWITCH),
        setting("bus-reserve", UINT32, 0xFFFF_FFFF),
        setting("io-reserve", SIZE, _ANY_SIZE),
        setting("mem-reserve", SIZE, _ANY_SIZE),
        setting("pref32-reserve", SIZE, _ANY_SIZE),
        setting("pref64-reserve", SIZE, _ANY_SIZE),
        interfaces=(*IS_PCI, "hotplug-handler"),
        user_creatable=True,
    )
    CHOICES = ("chassis_nr", "multifunction")
    OUTLIVES_RESET = (*PciFunction.OUTLIVES_RESET, "hotplug", "windows")
    hotpluggable = False

    def __init__(
        self,
        bus: PciBus,
        devfn: int,
        *,
        chassis: int,
        shpc: bool = True,
        multifunction: bool = False,
    ) -> None:
        if not chassis:  # QEMU's words
            raise ConfigError(
                "Bridge chassis not specified. Each bridge is required to be assigned a unique"
                " chassis id > 0."
            )
        if not 0 < chassis < 256:
            raise ConfigError(f"there is no bridge chassis {chassis}: give 1 to 255")
        super().__init__(BridgeState(), bus, devfn, _IDENTITY, multifunction=multifunction)
        self._chassis = chassis
        fill_bridge_header(self.config)
        self.secondary = PciBus(
            bus.placer,
            self._container("pci_bridge_pci", ADDRESS_SPACE_SIZE),
            self._container("pci_bridge_io", 4 * GIB),
            bus.dma_root,
            bridge=self,
        )
        self.windows = BridgeWindows(self.config, bus, self.secondary, self.alias)
        self.hotplug: HotplugController | None = None
        self._msi: MsiCapability | None = None
        next_capability = _CAPABILITIES
        if shpc:
            self.hotplug = HotplugController(
                self, self.secondary, next_capability, self._hotplug_interrupt
            )
            self.secondary.on_attach = self.hotplug.attached
            self.secondary.slots = self.hotplug
            next_capability += _SHPC_LENGTH
        self._add_slot_id(next_capability, chassis)
        if self.hotplug is not None:
            self.config.set(reg.INTERRUPT_PIN, 1)
            self._msi = MsiCapability(self, next_capability + _SLOT_ID_LENGTH)
            self.add_bar(0, self.hotplug.region, reg.BAR_MEMORY_64)

    @classmethod
    def plugged(cls, bus: PciBus, devfn: int, choices: dict[str, Any]) -> PciBridge:
        """Make one as the user wants it."""
        chassis, shares = choices.get("chassis_nr", 0), choices.get("multifunction", False)
        return cls(bus, devfn, chassis=chassis, multifunction=shares)

    def _container(self, name: str, size: int) -> MemoryRegion:
        return self.make(IoRegion(name, size, None, is_container=True))

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        return self._chassis if name == "chassis_nr" else super().value(name, fallback)

    def shown_regions(self) -> Iterable[MemoryRegion]:
        """Return its view of the memory, the spaces behind it, and the windows onto them."""
        master, *bars = super().shown_regions()
        behind = (self.secondary.memory_region, self.secondary.io_region)
        return (master, *behind, *self.windows.regions, *bars)

    def save(self) -> BridgeState:
        """Return the registers, and where the windows are."""
        if self.hotplug is not None:
            self.state.hotplug = bytes(self.hotplug.data)
        self.state.windows = self.windows.save()
        return super().save()

    def load(self, state: BridgeState) -> None:
        """Go on from there; what is behind it is loaded by itself."""
        super().load(state)
        if self.hotplug is not None:
            self.hotplug.data[:] = self.state.hotplug
        if len(self.state.windows) == WINDOWS:
            with self.changing(f"{self.address} bridge windows as they were saved"):
                self.windows.load(self.state.windows)
        self.bus.root.forget_numbers()

    def _add_slot_id(self, offset: int, chassis: int) -> None:
        self.add_capability(reg.CAPABILITY_SLOT_ID, offset, _SLOT_ID_LENGTH)
        self.config.set(offset + 2, _FIRST_IN_CHASSIS)
        self.config.set(offset + 3, chassis)
        self.config.allow_write(offset + 3, 0xFF)

    def _hotplug_interrupt(self, level: bool) -> None:
        if self._msi is None:
            return
        if self._msi.enabled:
            if level and not self.state.messaged:
                self._msi.notify()
        else:
            self.set_interrupt(level)
        self.state.messaged = level

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write; move windows, renumber and reset the second bus."""
        config = self.config
        end = offset + size
        had_control = config.read(reg.BRIDGE_CONTROL, 2)
        self.write_header(offset, value, size)
        if touches_windows(offset, end):
            with self.changing(f"{self.address} bridge windows: {self.windows}"):
                self.windows.update()
        if end > reg.PRIMARY_BUS and offset < reg.HEADER_SIZE:
            self.bus.root.forget_numbers()
        rising = config.read(reg.BRIDGE_CONTROL, 2) & ~had_control
        if rising & reg.CONTROL_BUS_RESET:
            self.secondary.reset()
        if self._msi is not None:
            self._msi.written(offset, size)
        if self.hotplug is not None:
            self.hotplug.config_written(offset, size)

    def reset(self) -> None:
        """Reset the bridge and everything behind it; the windows stay until the next write."""
        super().reset()
        reset_bridge_header(self.config)
        self.bus.root.forget_numbers()
        self.windows.update_vga()
        if self._msi is not None:
            self._msi.reset()
        self.secondary.reset()
        if self.hotplug is not None:
            self.hotplug.reset()

    def remove(self) -> None:
        """Take the bridge and everything behind it out of the machine."""
        with self.changing(f"{self.address} {self.name} removed"):
            for device in tuple(self.secondary.devices.values()):
                device.remove()
            self.windows.remove()
            self.bus.children.remove(self.secondary)
            super().remove()
            self.bus.root.forget_numbers()
