"""The power management function of the PIIX4, 8086:7113.

Intel 82371AB (PIIX4) data sheet (290562), section 7: configuration registers place the ACPI
registers (40h, enabled by 80h) and the SMBus controller (90h, enabled by D2h). Beside them QEMU's
hot-plug registers live at fixed ports. Reset values as QEMU 7.2 has them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from guestmap.hw.acpi_cpu_hotplug import AcpiCpuHotplug, CpuHotplugState
from guestmap.hw.acpi_memory_hotplug import GPE_BIT as MEMORY_GPE_BIT
from guestmap.hw.acpi_memory_hotplug import AcpiMemoryHotplug, MemoryHotplugState
from guestmap.hw.acpi_pci_hotplug import PORT as PCI_HOTPLUG_PORT
from guestmap.hw.acpi_pci_hotplug import AcpiPciHotplug, PciHotplugState
from guestmap.hw.acpi_pm import AcpiPm, AcpiPmState, PowerActions
from guestmap.hw.apm import PORT as APM_PORT
from guestmap.hw.apm import Apm
from guestmap.hw.device import U8
from guestmap.hw.pci import PciDevice, PciIdentity
from guestmap.hw.pci.registers import (
    INTERRUPT_PIN,
    STATUS,
    STATUS_DEVSEL_MEDIUM,
    STATUS_FAST_BACK,
)
from guestmap.hw.pci.state import PciState
from guestmap.hw.pm_smbus import PmSmbus, SmbusState
from guestmap.hw.smbus import SPD_ADDRESSES, Eeprom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guestmap.base import Clock, IrqLine
    from guestmap.hw.pci import PciBus
    from guestmap.memory import MemoryRegion

GPE_PORT = 0xAFE0
IO_BYTES = 64

_IDENTITY = PciIdentity(0x8086, 0x7113, 0x0680, revision=3)
_PM_BASE, _PM_ENABLE = 0x40, 0x80
_SMBUS_BASE, _SMBUS_ENABLE = 0x90, 0xD2
_DEVICE_B = 0x58  # four bytes; bit 1 of the last one: a write to port B2h raises an SMI
_APMC_SMI = 1 << 1
_PARALLEL, _LPC, _SERIAL = 0x5F, 0x63, 0x67
_BASE_MASK = 0xFFC0
_SMBUS_RESET = 0xB101
_ENABLE_ACPI, _DISABLE_ACPI = 0xF1, 0xF0


@dataclass(slots=True)
class Piix4PmState(PciState):
    """Besides the header: the register blocks."""

    pm: AcpiPmState = field(default_factory=AcpiPmState)
    apm: Annotated[list[U8], Meta(min_length=2, max_length=2)] = field(default_factory=list)
    smbus: SmbusState | None = None
    pci_hotplug: PciHotplugState = field(default_factory=PciHotplugState)
    cpu_hotplug: CpuHotplugState = field(default_factory=CpuHotplugState)
    memory_hotplug: MemoryHotplugState | None = None


class Piix4Pm(PciDevice):
    """The power management function.

    Regions with fixed ports go into the bus's I/O space when the device is made, as in QEMU.

    Args:
        bus: the root bus.
        devfn: slot << 3 | function; QEMU's is 0Bh.
        clock: what the PM timer counts.
        sci: the ACPI interrupt (line 9).
        actions: what sleep requests do.
        apic_ids: of all processors that the machine can have, in order.
        cpus: how many of them are there.
        raise_smi: called for a system management interrupt; None where the machine has none, which
            register 5Bh then says from the start.
        on_eject: called with a PCI function that the guest has let go; default: it is removed.
        memory_slots: DIMMs that may be plugged in.
        serial_ports, parallel_ports: how many the machine has, which registers 67h and 5Fh tell.

    Attributes:
        pm: the ACPI registers.
        io_region: ``piix4-pm``, 64 bytes: where they are.
        smbus, apm, pci_hotplug, cpu_hotplug: the other register blocks.
        memory_hotplug: the registers of memory slots; None without slots.
    """

    hotpluggable = False

    def __init__(
        self,
        bus: PciBus,
        devfn: int,
        clock: Clock,
        sci: IrqLine,
        *,
        actions: PowerActions | None = None,
        apic_ids: Sequence[int] = (0,),
        cpus: int = 1,
        raise_smi: Callable[[], None] | None = None,
        on_eject: Callable[[PciDevice], None] = PciDevice.remove,
        memory_slots: int = 0,
        serial_ports: int = 0,
        parallel_ports: int = 0,
        owner: object = None,
    ) -> None:
        super().__init__(bus, devfn, "PIIX4_PM", _IDENTITY, owner=owner)
        self._raise_smi = raise_smi
        config, memory, io = self.config, bus.memory, bus.io_region
        config.set(STATUS, STATUS_DEVSEL_MEDIUM | STATUS_FAST_BACK, 2)
        config.set(INTERRUPT_PIN, 1)
        config.set(_PARALLEL, 0x10 | (0x80 if parallel_ports else 0))
        config.set(_LPC, 0x60)
        config.set(_SERIAL, (0x08 if serial_ports else 0) | (0x90 if serial_ports > 1 else 0))
        config.set(_SMBUS_BASE, _SMBUS_RESET, 4)
        config.set(_SMBUS_ENABLE, 0x09)
        who = self.owner
        self.apm = Apm(memory, self._apm_written, owner=who)
        slaves = {address: Eeprom() for address in SPD_ADDRESSES}
        self.smbus = PmSmbus(memory, slaves, owner=who)
        self.io_region = memory.container("piix4-pm", IO_BYTES, owner=who)
        self.pm = AcpiPm(
            memory, clock, sci, actions or PowerActions(), acpi_only=raise_smi is None, owner=who
        )
        self.pci_hotplug = AcpiPciHotplug(memory, bus, on_eject, owner=who)
        with memory.transaction("PIIX4 power management"):
            io.add_subregion(APM_PORT, self.apm.region)
            io.add_subregion(_SMBUS_RESET & _BASE_MASK, self.smbus.region)
            self.io_region.set_enabled(False)
            io.add_subregion(0, self.io_region)
            self.io_region.add_subregion(8, self.pm.timer_region)
            self.io_region.add_subregion(0, self.pm.event_region)
            self.io_region.add_subregion(4, self.pm.control_region)
            io.add_subregion(GPE_PORT, self.pm.gpe_region)
            io.add_subregion(PCI_HOTPLUG_PORT, self.pci_hotplug.region)
            self.cpu_hotplug = AcpiCpuHotplug(memory, io, apic_ids, cpus, owner=who)
            self.memory_hotplug = self._make_memory_hotplug(io, memory_slots)
            self._reset_config()

    def _make_memory_hotplug(self, io: MemoryRegion, slots: int) -> AcpiMemoryHotplug | None:
        if not slots:
            return None
        return AcpiMemoryHotplug(
            self.bus.memory,
            io,
            slots,
            raise_gpe=lambda: self.pm.raise_gpe(MEMORY_GPE_BIT),
            owner=self.owner,
        )

    def _apm_written(self, value: int) -> None:
        if value in {_ENABLE_ACPI, _DISABLE_ACPI}:
            self.pm.set_acpi_mode(value == _ENABLE_ACPI)
        if self.config.data[_DEVICE_B + 3] & _APMC_SMI and self._raise_smi is not None:
            self._raise_smi()

    def config_write(self, offset: int, value: int, size: int) -> None:
        """Take a configuration write; the register blocks move at once."""
        self.write_header(offset, value, size)
        end = offset + size
        if offset <= _PM_ENABLE < end or (offset < _PM_BASE + 4 and end > _PM_BASE):
            self._place_pm()
        if offset <= _SMBUS_ENABLE < end or (offset < _SMBUS_BASE + 4 and end > _SMBUS_BASE):
            self._place_smbus()

    def _place_pm(self) -> None:
        base = self.config.read(_PM_BASE, 4) & _BASE_MASK
        is_on = bool(self.config.data[_PM_ENABLE] & 1)
        region = self.io_region
        if base == region.addr and is_on == region.enabled:
            return
        where = f"{base:04X}" if is_on else "off"
        with self.bus.memory.transaction(f"{self.address} ACPI registers: {where}"):
            region.set_enabled(is_on)
            region.set_address(base)

    def _place_smbus(self) -> None:
        base = self.config.read(_SMBUS_BASE, 4) & _BASE_MASK
        is_on = bool(self.config.data[_SMBUS_ENABLE] & 1)
        region = self.smbus.region
        if base == region.addr and is_on == region.enabled:
            return
        where = f"{base:04X}" if is_on else "off"
        with self.bus.memory.transaction(f"{self.address} SMBus registers: {where}"):
            region.set_enabled(is_on)
            region.set_address(base)

    def _reset_config(self) -> None:
        config = self.config
        config.set(_DEVICE_B, 0, 4)
        config.set(_PM_BASE, 1)
        config.set(_PM_ENABLE, 0)
        if self._raise_smi is None:
            # Tells the firmware that it need not, and cannot, set system management mode up.
            config.set(_DEVICE_B + 3, _APMC_SMI)
        self._place_pm()

    def save(self) -> Piix4PmState:
        """Return a copy of the state."""
        slots = self.memory_hotplug
        return Piix4PmState(
            **self._header(), pm=self.pm.save(), apm=self.apm.save(), smbus=self.smbus.save(),
            pci_hotplug=self.pci_hotplug.save(), cpu_hotplug=self.cpu_hotplug.save(),
            memory_hotplug=slots.save() if slots is not None else None,
        )  # fmt: skip

    def load(self, state: PciState) -> None:
        """Go on from a state that was saved; the register blocks move."""
        super().load(state)
        assert isinstance(state, Piix4PmState)
        self.pm.load(state.pm)
        self.apm.load(state.apm)
        if state.smbus is not None:
            self.smbus.load(state.smbus)
        self.pci_hotplug.load(state.pci_hotplug)
        self.cpu_hotplug.load(state.cpu_hotplug)
        if self.memory_hotplug is not None and state.memory_hotplug is not None:
            self.memory_hotplug.load(state.memory_hotplug)
        self._place_pm()
        self._place_smbus()

    def reset(self) -> None:
        """Reset the ACPI registers and switch their ports off; the SMBus stays as it is."""
        super().reset()
        self._reset_config()
        self.pm.reset()
        self.pci_hotplug.reset()
