"""The fixed hardware registers of ACPI: PM1 status, enable and control, the timer, GPE0.

ACPI specification 6.4, section 4.8.3 (PM1, PM timer) and 4.8.4 (general-purpose events). They
share one level-triggered interrupt, the SCI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import ConfigError
from guestmap.hw.device import U16, U64
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.memory import MemoryRegion, MemorySystem

PM_TIMER_HZ = 3_579_545

STATUS_TIMER, STATUS_GLOBAL = 1 << 0, 1 << 5
STATUS_POWER_BUTTON, STATUS_RTC, STATUS_WAKE = 1 << 8, 1 << 10, 1 << 15
_SCI_SOURCES = STATUS_TIMER | STATUS_GLOBAL | STATUS_POWER_BUTTON | STATUS_RTC
CONTROL_SCI_ENABLE, CONTROL_SLEEP_ENABLE = 1 << 0, 1 << 13
_SLEEP_TYPE_SHIFT = 10
SLEEP_TYPE_SOFT_OFF, SLEEP_TYPE_SUSPEND, SLEEP_TYPE_HIBERNATE = 0, 1, 2

_TIMER_MASK = 0xFF_FFFF
_HALF_PERIOD = 0x80_0000  # the status bit is set each time bit 23 changes
_NS_PER_SECOND = 1_000_000_000
_WORD = 0xFFFF


def _nothing() -> None:
    """Do nothing: what a machine without power management does."""


@dataclass(frozen=True, slots=True)
class PowerActions:
    """What the machine does when the guest asks for another power state.

    Attributes:
        power_off: soft off (S5), and hibernation (S4) once the guest has saved itself.
        suspend: suspend to RAM (S3).
    """

    power_off: Callable[[], None] = _nothing
    suspend: Callable[[], None] = _nothing


@dataclass(slots=True)
class AcpiPmState:
    """The registers, and when the timer's highest bit changes next, in its ticks."""

    status: U16 = 0
    enable: U16 = 0
    control: U16 = 0
    overflow_ticks: U64 = 0
    gpe_status: bytes = b""
    gpe_enable: bytes = b""


class AcpiPm:
    """PM1 event and control blocks, the PM timer, and the GPE0 block.

    Args:
        memory: the machine's memory system.
        clock: what the timer counts.
        sci: the interrupt.
        actions: what sleep requests do.
        acpi_only: whether the machine is in ACPI mode from reset on, because it has no system
            management mode to switch with.
        gpe_bytes: of the GPE0 block: half status, half enable.

    Attributes:
        event_region: ``acpi-evt``, 4 bytes: status and enable.
        control_region: ``acpi-cnt``, 2 bytes.
        timer_region: ``acpi-tmr``, 4 bytes.
        gpe_region: ``acpi-gpe0``.
    """

    def __init__(
        self,
        memory: MemorySystem,
        clock: Clock,
        sci: IrqLine,
        actions: PowerActions,
        *,
        acpi_only: bool = False,
        gpe_bytes: int = 4,
        owner: object = None,
    ) -> None:
        self._clock = clock
        self._sci = sci
        self._actions = actions
        self._acpi_only = acpi_only
        self._status = self._enable = 0
        self.control = int(acpi_only)
        self._overflow_ticks = 0
        self._alarm = clock.timer(self._update_sci)
        self._gpe_status = bytearray(gpe_bytes // 2)
        self._gpe_enable = bytearray(gpe_bytes // 2)

        def region(
            name: str,
            size: int,
            read: Callable[[int, int], int],
            write: Callable[[int, int, int], None],
            valid: AccessSizes,
            impl: AccessSizes,
        ) -> MemoryRegion:
            ops = MemoryRegionOps(
                read=read, write=write, endianness=Endianness.LITTLE, valid=valid, impl=impl
            )
            return memory.io(name, size, ops, owner=owner)

        words = AccessSizes(1, 2)
        self.timer_region = region(
            "acpi-tmr", 4, self._read_timer, self._ignore, AccessSizes(1, 4), AccessSizes(min=4)
        )
        self.event_region = region(
            "acpi-evt", 4, self._read_event, self._write_event, words, AccessSizes(min=2)
        )
        self.control_region = region(
            "acpi-cnt", 2, self._read_control, self._write_control, words, AccessSizes(min=2)
        )
        self.gpe_region = region(
            "acpi-gpe0",
            gpe_bytes,
            self._read_gpe,
            self._write_gpe,
            AccessSizes(1, 4),
            AccessSizes(1, 1),
        )

    # -- PM timer --------------------------------------------------------------------------------

    def _ticks(self) -> int:
        return self._clock.ticks(PM_TIMER_HZ)

    def _read_timer(self, _offset: int, _size: int) -> int:
        return self._ticks() & _TIMER_MASK

    def _ignore(self, _offset: int, _value: int, _size: int) -> None:
        """The timer cannot be written."""

    def _arm(self) -> None:
        if self._enable & STATUS_TIMER and not self._status & STATUS_TIMER:
            self._alarm.arm(-(-self._overflow_ticks * _NS_PER_SECOND // PM_TIMER_HZ))
        else:
            self._alarm.cancel()

    # -- PM1 -------------------------------------------------------------------------------------

    @property
    def status(self) -> int:
        """The PM1 status register."""
        if self._ticks() >= self._overflow_ticks:
            self._status |= STATUS_TIMER
        return self._status

    def _read_event(self, offset: int, _size: int) -> int:
        return {0: self.status, 2: self._enable}.get(offset, 0)

    def _write_event(self, offset: int, value: int, _size: int) -> None:
        if offset == 0:
            if self.status & value & STATUS_TIMER:
                self._overflow_ticks = (self._ticks() + _HALF_PERIOD) & ~(_HALF_PERIOD - 1)
            self._status &= ~value
        elif offset == 2:
            self._enable = value & _WORD
        else:
            return
        self._update_sci()

    def _read_control(self, _offset: int, _size: int) -> int:
        return self.control

    def _write_control(self, _offset: int, value: int, _size: int) -> None:
        self.control = value & _WORD & ~CONTROL_SLEEP_ENABLE
        if not value & CONTROL_SLEEP_ENABLE:
            return
        kind = value >> _SLEEP_TYPE_SHIFT & 7
        if kind in {SLEEP_TYPE_SOFT_OFF, SLEEP_TYPE_HIBERNATE}:
            self._actions.power_off()
        elif kind == SLEEP_TYPE_SUSPEND:
            self._actions.suspend()

    def set_acpi_mode(self, enabled: bool) -> None:
        """Set or clear SCI_EN, as the firmware's SMI handler would."""
        if not self._acpi_only:
            self.control = self.control & ~CONTROL_SCI_ENABLE | int(enabled)

    def raise_status(self, bits: int) -> None:
        """Set PM1 status bits: a power button, a wake event."""
        self._status |= bits
        self._update_sci()

    # -- GPE0 ------------------------------------------------------------------------------------

    def _gpe_byte(self, offset: int) -> tuple[bytearray, int] | None:
        half = len(self._gpe_status)
        if 0 <= offset < half:
            return self._gpe_status, offset
        return (self._gpe_enable, offset - half) if offset < 2 * half else None

    def _read_gpe(self, offset: int, _size: int) -> int:
        found = self._gpe_byte(offset)
        return found[0][found[1]] if found is not None else 0

    def _write_gpe(self, offset: int, value: int, _size: int) -> None:
        found = self._gpe_byte(offset)
        if found is None:
            return
        registers, index = found
        value &= 0xFF
        registers[index] = registers[index] & ~value if registers is self._gpe_status else value
        self._update_sci()

    def raise_gpe(self, bits: int) -> None:
        """Set bits of the first GPE0 status byte: PCI 2, CPU 4, memory 8, NVDIMM 16."""
        self._gpe_status[0] |= bits
        self._update_sci()

    # -- saving ------------------------------------------------------------------------------------

    def save(self) -> AcpiPmState:
        """Return a copy of the state."""
        return AcpiPmState(
            self._status, self._enable, self.control, self._overflow_ticks,
            bytes(self._gpe_status), bytes(self._gpe_enable),
        )  # fmt: skip

    def load(self, state: AcpiPmState) -> None:
        """Go on from a state that was saved; the SCI is not driven.

        Raises:
            ConfigError: it is the state of another GPE block.
        """
        if not len(state.gpe_status) == len(state.gpe_enable) == len(self._gpe_status):
            raise ConfigError(f"the saved GPE block has {len(state.gpe_status)} status bytes")
        self._status, self._enable, self.control = state.status, state.enable, state.control
        self._overflow_ticks = state.overflow_ticks
        self._gpe_status[:], self._gpe_enable[:] = state.gpe_status, state.gpe_enable
        self._arm()

    # -- interrupt and reset ---------------------------------------------------------------------

    def _update_sci(self) -> None:
        pm1 = self.status & self._enable & _SCI_SOURCES
        gpe = self._gpe_status[0] & self._gpe_enable[0]
        self._sci.set(bool(pm1 or gpe))
        self._arm()

    def reset(self) -> None:
        """Clear every register; the timer itself runs on."""
        self._status = self._enable = 0
        self.control = int(self._acpi_only)
        self._overflow_ticks = 0
        self._gpe_status[:] = bytes(len(self._gpe_status))
        self._gpe_enable[:] = bytes(len(self._gpe_enable))
        self._update_sci()
