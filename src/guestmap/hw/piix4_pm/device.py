"""The power management function of the PIIX4, 8086:7113.

Intel 82371AB (PIIX4) data sheet (290562), section 7: configuration registers place the ACPI
registers (40h, enabled by 80h) and the SMBus controller (90h, enabled by D2h). Beside them QEMU's
hot-plug registers live at fixed ports. Reset values as QEMU 7.2 has them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.hw.acpi.apm import Apm
from guestmap.hw.acpi.cpu_hotplug import AcpiCpuHotplug
from guestmap.hw.acpi.memory_hotplug import AcpiMemoryHotplug
from guestmap.hw.acpi.pci_hotplug import AcpiPciHotplug
from guestmap.hw.acpi.pm import (
    GPE_MEMORY,
    GPE_PCI,
    AcpiPm,
    PowerActions,
)
from guestmap.hw.device import RegisterBlock
from guestmap.hw.pci import PciFunction, PciIdentity
from guestmap.hw.pci.registers import (
    INTERRUPT_PIN,
    STATUS,
    STATUS_DEVSEL_MEDIUM,
    STATUS_FAST_BACK,
)
from guestmap.hw.piix4_pm.kind import DISABLE_ACPI, ENABLE_ACPI, PIIX4_PM, Piix4PmState
from guestmap.hw.smbus.host import PmSmbus
from guestmap.hw.smbus.slave import SPD_ADDRESSES, Eeprom

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from guestmap.base import Clock, IrqLine
    from guestmap.hw.pci import PciBus
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue

_IDENTITY = PciIdentity(0x8086, 0x7113, 0x0680, revision=3)
_PM_BASE, _PM_ENABLE = 0x40, 0x80
_SMBUS_BASE, _SMBUS_ENABLE = 0x90, 0xD2
_DEVICE_B = 0x58  # four bytes; bit 1 of the last one: a write to port B2h raises an SMI
_APMC_SMI = 1 << 1
_PARALLEL, _LPC, _SERIAL = 0x5F, 0x63, 0x67
_BASE_MASK = 0xFFC0
_SMBUS_RESET = 0xB101


class Piix4Pm(PciFunction[Piix4PmState]):
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
        memory_slots: DIMMs that may be plugged in.
        serial_ports, parallel_ports: how many the machine has, which registers 67h and 5Fh tell.

    Attributes:
        pm: the ACPI registers.
        smbus, apm, pci_hotplug, cpu_hotplug: the other register blocks.
        memory_hotplug: the registers of memory slots; None without slots.
    """

    TYPE = PIIX4_PM
    OUTLIVES_RESET = (
        *PciFunction.OUTLIVES_RESET, "apm", "smbus", "pci_hotplug", "cpu_hotplug", "memory_hotplug"
    )  # fmt: skip
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
        memory_slots: int = 0,
        serial_ports: int = 0,
        parallel_ports: int = 0,
    ) -> None:
        super().__init__(Piix4PmState(), bus, devfn, _IDENTITY)
        self._raise_smi = raise_smi
        self._sci = sci
        config = self.config
        config.set(STATUS, STATUS_DEVSEL_MEDIUM | STATUS_FAST_BACK, 2)
        config.set(INTERRUPT_PIN, 1)
        config.set(_PARALLEL, 0x10 | (0x80 if parallel_ports else 0))
        config.set(_LPC, 0x60)
        config.set(_SERIAL, (0x08 if serial_ports else 0) | (0x90 if serial_ports > 1 else 0))
        config.set(_SMBUS_BASE, _SMBUS_RESET, 4)
        config.set(_SMBUS_ENABLE, 0x09)
        self.apm = Apm(self._apm_written)
        self.eeproms = tuple(Eeprom(address=address) for address in SPD_ADDRESSES)
        self.smbus = PmSmbus(dict(zip(SPD_ADDRESSES, self.eeproms, strict=True)))
        self.pm = AcpiPm(clock, sci, actions or PowerActions(), acpi_only=raise_smi is None)
        self.pci_hotplug = AcpiPciHotplug(bus, lambda: self.pm.raise_gpe(GPE_PCI))
        bus.slots = self.pci_hotplug
        self.cpu_hotplug = AcpiCpuHotplug(apic_ids, cpus)
        self.memory_hotplug: AcpiMemoryHotplug | None = None
        if memory_slots:
            self.memory_hotplug = AcpiMemoryHotplug(
                memory_slots, raise_gpe=lambda: self.pm.raise_gpe(GPE_MEMORY)
            )
        with self.changing("PIIX4 power management"):
            self.place_blocks()
            self.io_region.set_enabled(False)
            self._reset_config()

    @property
    def blocks(self) -> Mapping[str, RegisterBlock[Any]]:
        """The register blocks, in the order in which QEMU makes them."""
        blocks: dict[str, RegisterBlock[Any]] = {
            "apm": self.apm, "smbus": self.smbus, "pm": self.pm, "pci_hotplug": self.pci_hotplug,
            "cpu_hotplug": self.cpu_hotplug,
        }  # fmt: skip
        if self.memory_hotplug is not None:
            blocks["memory_hotplug"] = self.memory_hotplug
        return blocks

    @property
    def io_region(self) -> MemoryRegion:
        """``piix4-pm``, 64 bytes: where the ACPI registers are."""
        return self.pm.regions[0]

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """The ACPI interrupt."""
        return {"unnamed-gpio-out[0]": self._sci}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value."""
        if name == "smb_io_base":
            return self.config.read(_SMBUS_BASE, 4) & _BASE_MASK
        if name == "pm_io_base":
            return self.config.read(_PM_BASE, 4) & _BASE_MASK
        if name == "cpu-hotplug-legacy":
            return not self.cpu_hotplug.state.modern
        if name == "smm-enabled":
            return self._raise_smi is not None
        return super().value(name, fallback)

    def load(self, state: Piix4PmState) -> None:
        """Go on from there; the register blocks move to where they were."""
        super().load(state)
        self._place_pm()
        self._place_smbus()

    def _apm_written(self, value: int) -> None:
        if value in {ENABLE_ACPI, DISABLE_ACPI}:
            self.pm.set_acpi_mode(value == ENABLE_ACPI)
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
        self._move(self.io_region, _PM_BASE, _PM_ENABLE, "ACPI")

    def _place_smbus(self) -> None:
        self._move(self.smbus.regions[0], _SMBUS_BASE, _SMBUS_ENABLE, "SMBus")

    def _move(self, region: MemoryRegion, base_at: int, enable_at: int, what: str) -> None:
        """Have a register block be where configuration registers say, or nowhere."""
        base = self.config.read(base_at, 4) & _BASE_MASK
        is_on = bool(self.config.data[enable_at] & 1)
        if base == region.addr and is_on == region.enabled:
            return
        where = f"{base:04X}" if is_on else "off"
        with self.changing(f"{self.address} {what} registers: {where}"):
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

    def reset(self) -> None:
        """Reset the ACPI registers and switch their ports off; the SMBus stays as it is."""
        super().reset()
        self._reset_config()
        self.pm.reset()
        self.pci_hotplug.reset()
