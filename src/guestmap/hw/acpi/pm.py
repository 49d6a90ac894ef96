"""The fixed hardware registers of ACPI: PM1 status, enable and control, the timer, GPE0.

ACPI specification 6.4, section 4.8.3 (PM1, PM timer) and 4.8.4 (general-purpose events). They
share one level-triggered interrupt, the SCI.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from enum import IntEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

from guestmap.base.bounds import Meta, bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U16, IoRegion, Place, RegisterBlock, Space
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine

PM_TIMER_HZ = 3_579_545

STATUS_TIMER, STATUS_GLOBAL = 1 << 0, 1 << 5
STATUS_POWER_BUTTON, STATUS_RTC, STATUS_WAKE = 1 << 8, 1 << 10, 1 << 15
_SCI_SOURCES = STATUS_TIMER | STATUS_GLOBAL | STATUS_POWER_BUTTON | STATUS_RTC
CONTROL_SCI_ENABLE, CONTROL_SLEEP_ENABLE = 1 << 0, 1 << 13
_SLEEP_TYPE_SHIFT = 10
SLEEP_TYPE_SOFT_OFF, SLEEP_TYPE_SUSPEND, SLEEP_TYPE_HIBERNATE = 0, 1, 2


class WakeCause(IntEnum):
    """Why a machine wakes that sleeps in RAM: the PM1 status bits that say so.

    QEMU tells the guest of its power button wherever a person or the host has woken it. The PM
    timer wakes nobody: QEMU has a cause for it, but no timer of its virtual clock runs meanwhile.
    """

    OTHER = STATUS_WAKE | STATUS_POWER_BUTTON
    RTC = STATUS_WAKE | STATUS_RTC


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


IO_BYTES = 64
GPE_PORT, GPE_BYTES = 0xAFE0, 4
GPE_PCI, GPE_CPU, GPE_MEMORY = 1 << 1, 1 << 2, 1 << 3
"""Bits of the first GPE0 status byte: who has news."""

if TYPE_CHECKING:
    Gpe = bytearray
else:
    Gpe = bounded(bytearray, min_length=GPE_BYTES // 2, max_length=GPE_BYTES // 2)


@dataclass(slots=True)
class AcpiPmState:
    """PM1 and GPE0, and the tick at which the timer's status bit is set next."""

    status: U16 = 0
    enable: U16 = 0
    control: U16 = 0
    overflow_ticks: Annotated[int, Meta(ge=0)] = 0
    gpe_status: Gpe = field(default_factory=lambda: bytearray(GPE_BYTES // 2))
    gpe_enable: Gpe = field(default_factory=lambda: bytearray(GPE_BYTES // 2))


class AcpiPm(RegisterBlock[AcpiPmState]):
    """PM1 event and control blocks, the PM timer, and the GPE0 block.

    Args:
        clock: what the timer counts.
        sci: the interrupt.
        actions: what sleep requests do.
        acpi_only: whether the machine is in ACPI mode from reset on, because it has no system
            management mode to switch with.
    """

    def __init__(
        self, clock: Clock, sci: IrqLine, actions: PowerActions, *, acpi_only: bool = False
    ) -> None:
        super().__init__(AcpiPmState(control=int(acpi_only)))
        self._clock = clock
        self._sci = sci
        self._actions = actions
        self._acpi_only = acpi_only
        self._alarm = clock.timer(self._update_sci)

    @property
    def control(self) -> int:
        """The PM1 control register."""
        return self.state.control

    def places(self) -> tuple[Place, ...]:
        """Return ``piix4-pm``, 64 bytes that are nowhere yet, and ``acpi-gpe0``, 4 bytes.

        The first holds timer, event and control registers, 4, 4 and 2 bytes.
        """
        registers = partial(MemoryRegionOps, endianness=Endianness.LITTLE)
        words = AccessSizes(1, 2)
        timer = registers(
            read=self._read_timer,
            write=self._ignore,
            valid=AccessSizes(1, 4),
            impl=AccessSizes(min=4),
        )
        event = registers(
            read=self._read_event, write=self._write_event, valid=words, impl=AccessSizes(min=2)
        )
        control = registers(
            read=self._read_control, write=self._write_control, valid=words, impl=AccessSizes(min=2)
        )
        gpe = registers(
            read=self._read_gpe,
            write=self._write_gpe,
            valid=AccessSizes(1, 4),
            impl=AccessSizes(1, 1),
        )
        inner = (
            (8, IoRegion("acpi-tmr", 4, timer)),
            (0, IoRegion("acpi-evt", 4, event)),
            (4, IoRegion("acpi-cnt", 2, control)),
        )
        block = IoRegion("piix4-pm", IO_BYTES, None, inner, is_container=True)
        return (
            Place(Space.IO, 0, block),
            Place(Space.IO, GPE_PORT, IoRegion("acpi-gpe0", GPE_BYTES, gpe)),
        )

    def load(self, state: AcpiPmState) -> None:
        """Go on from there."""
        super().load(state)
        self._arm()

    # -- PM timer --------------------------------------------------------------------------------

    def _ticks(self) -> int:
        return self._clock.ticks(PM_TIMER_HZ)

    def _read_timer(self, _offset: int, _size: int) -> int:
        return self._ticks() & _TIMER_MASK

    def _ignore(self, _offset: int, _value: int, _size: int) -> None:
        """The timer cannot be written."""

    def _arm(self) -> None:
        if self.state.enable & STATUS_TIMER and not self.state.status & STATUS_TIMER:
            self._alarm.arm(-(-self.state.overflow_ticks * _NS_PER_SECOND // PM_TIMER_HZ))
        else:
            self._alarm.cancel()

    # -- PM1 -------------------------------------------------------------------------------------

    @property
    def status(self) -> int:
        """The PM1 status register."""
        if self._ticks() >= self.state.overflow_ticks:
            self.state.status |= STATUS_TIMER
        return self.state.status

    def _read_event(self, offset: int, _size: int) -> int:
        return {0: self.status, 2: self.state.enable}.get(offset, 0)

    def _write_event(self, offset: int, value: int, _size: int) -> None:
        if offset == 0:
            if self.status & value & STATUS_TIMER:
                self.state.overflow_ticks = (self._ticks() + _HALF_PERIOD) & ~(_HALF_PERIOD - 1)
            self.state.status &= ~value
        elif offset == 2:
            self.state.enable = value & _WORD
        else:
            return
        self._update_sci()

    def _read_control(self, _offset: int, _size: int) -> int:
        return self.state.control

    def _write_control(self, _offset: int, value: int, _size: int) -> None:
        self.state.control = value & _WORD & ~CONTROL_SLEEP_ENABLE
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
            self.state.control = self.state.control & ~CONTROL_SCI_ENABLE | int(enabled)

    def raise_status(self, bits: int) -> None:
        """Set PM1 status bits: a power button, a wake event."""
        self.state.status |= bits
        self._update_sci()

    def wakes_by(self, cause: WakeCause) -> bool:
        """Tell whether the guest lets that wake it (PM1 enable); a person's wish is always one."""
        return cause is WakeCause.OTHER or bool(self.state.enable & cause & ~STATUS_WAKE)

    # -- GPE0 ------------------------------------------------------------------------------------

    def _gpe_byte(self, offset: int) -> tuple[bytearray, int] | None:
        half = len(self.state.gpe_status)
        if 0 <= offset < half:
            return self.state.gpe_status, offset
        return (self.state.gpe_enable, offset - half) if offset < 2 * half else None

    def _read_gpe(self, offset: int, _size: int) -> int:
        found = self._gpe_byte(offset)
        return found[0][found[1]] if found is not None else 0

    def _write_gpe(self, offset: int, value: int, _size: int) -> None:
        found = self._gpe_byte(offset)
        if found is None:
            return
        registers, index = found
        value &= 0xFF
        registers[index] = (
            registers[index] & ~value if registers is self.state.gpe_status else value
        )
        self._update_sci()

    def raise_gpe(self, bits: int) -> None:
        """Set bits of the first GPE0 status byte: PCI 2, CPU 4, memory 8, NVDIMM 16."""
        self.state.gpe_status[0] |= bits
        self._update_sci()

    # -- interrupt and reset ---------------------------------------------------------------------

    def _update_sci(self) -> None:
        pm1 = self.status & self.state.enable & _SCI_SOURCES
        gpe = self.state.gpe_status[0] & self.state.gpe_enable[0]
        self._sci.set(bool(pm1 or gpe))
        self._arm()

    def reset(self) -> None:
        """Clear every register; the timer itself runs on."""
        self.state = AcpiPmState(control=int(self._acpi_only))
        self._update_sci()
