"""The HPET: a 100 MHz counter and three comparators.

Registers after the IA-PC HPET Specification 1.0a, as QEMU 7.2's ``hpet`` has them on a PC: three
64-bit timers, all periodic-capable, each routable to I/O APIC input 2 only; legacy replacement
takes over the lines of the PIT and the RTC. Registers are 32-bit windows: 64-bit accesses are two.

The counter is never stepped: it is what the clock says when somebody asks.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base import IrqLine
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import SWITCH, SYS_BUS_DEVICE, declare, output, setting
from guestmap.hw.device import U64, DeviceModel, IoRegion, Place, Space
from guestmap.hw.hpet.timer import TICK_NS, HpetTimer, HpetTimerState
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import BOOL, UINT8, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from guestmap.base import Clock

ADDRESS = 0xFED0_0000
TIMERS = 3
_OUTPUTS = 32
_ROUTES = 4
"""Interrupts that a timer may be routed to, as a bit mask: I/O APIC input 2."""
CAPABILITY = TICK_NS * 1_000_000 << 32 | 0x8086A001 | (TIMERS - 1) << 8
"""Period in femtoseconds, vendor 8086h, legacy routes, 64-bit counter, three timers, revision 1."""

_CAPABILITY, _CONFIG, _STATUS, _COUNTER = 0x00, 0x10, 0x20, 0xF0
_TIMERS_START, _TIMER_SIZE = 0x100, 0x20
_ENABLE, _LEGACY = 0x1, 0x2
_RTC_LINE = 8
_LOW, _HIGH, _ALL = 0xFFFFFFFF, 0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF


@dataclass(slots=True)
class HpetState:
    """The registers, where the counter stands or when it was 0, and the timers.

    QEMU answers for one timer more than it has; it can be written but never started.
    """

    config: Annotated[int, Meta(ge=0, le=3)] = 0
    status: Annotated[int, Meta(ge=0, lt=1 << TIMERS + 1)] = 0
    stopped_at: U64 = 0
    origin_ns: U64 = 0
    """Modulo 2**64."""
    timers: Annotated[list[HpetTimerState], Meta(min_length=TIMERS + 1, max_length=TIMERS + 1)] = (
        field(default_factory=list)
    )
    levels: tuple[bool, bool] = (False, False)
    """Of the lines that come in."""


class Hpet(DeviceModel[HpetState]):
    """The device.

    Args:
        clock: the counter's source.
        irqs: the machine's interrupt lines by I/O APIC input number; a route to a line that is
            not there goes nowhere.
        send_msi: receives ``(address, data)`` of an interrupt that a timer sends as a message.

    Attributes:
        pit_input: the PIT's output comes in here, and leaves on line 0 unless in legacy mode.
        rtc_input: the RTC's output comes in here, and leaves on line 8 unless in legacy mode.
        pit_enabled: low while legacy replacement silences the PIT.
    """

    TYPE = declare(
        "hpet",
        SYS_BUS_DEVICE,
        setting("timers", UINT8, TIMERS),
        setting("msi", BOOL, False, SWITCH),
        setting("hpet-intcap", UINT32, 0),
        setting("hpet-offset-saved", BOOL, True),
        once_realized=(output(), *(output(f"sysbus-irq[{n}]") for n in range(_OUTPUTS))),
        inputs=(("unnamed-gpio-in", 2),),
    )
    OUTLIVES_RESET = ("timers", "levels")  # their messages have no reset value

    def __init__(
        self,
        clock: Clock,
        irqs: Sequence[IrqLine],
        send_msi: Callable[[int, int], None] | None = None,
    ) -> None:
        super().__init__(HpetState(), {"hpet-intcap": _ROUTES})
        self._clock = clock
        self._irqs = irqs
        self.send_msi = send_msi
        self.pit_input = IrqLine(self._pit_changed, name="hpet pit in")
        self.rtc_input = IrqLine(self._rtc_changed, name="hpet rtc in")
        self.pit_enabled = IrqLine(name="pit enabled")
        self.pit_enabled.set(True)
        self.timers = tuple(HpetTimer(self, clock, number) for number in range(TIMERS + 1))

    def places(self) -> tuple[Place, ...]:
        """Return ``hpet``, 1 KiB at FED00000h."""
        ops = MemoryRegionOps(read=self._read, write=self._write, valid=AccessSizes(4, 4))
        return (Place(Space.MEMORY, ADDRESS, IoRegion("hpet", 0x400, ops)),)

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """PIT and RTC in; the switch of the PIT and the machine's lines out."""
        outputs = {f"sysbus-irq[{n}]": line for n, line in enumerate(self._irqs)}
        return {
            "unnamed-gpio-in[0]": self.pit_input,
            "unnamed-gpio-in[1]": self.rtc_input,
            "unnamed-gpio-out[0]": self.pit_enabled,
        } | outputs

    @property
    def config(self) -> int:
        """The general configuration register."""
        return self.state.config

    @property
    def status(self) -> int:
        """The interrupt status register."""
        return self.state.status

    @status.setter
    def status(self, value: int) -> None:
        self.state.status = value

    def save(self) -> HpetState:
        """Return the registers, the timers, and the levels of the lines that come in."""
        self.state.timers = [timer.save() for timer in self.timers]
        self.state.levels = self.pit_input.level, self.rtc_input.level
        return super().save()

    def load(self, state: HpetState) -> None:
        """Go on from there."""
        super().load(state)
        for timer, saved in zip(self.timers, self.state.timers, strict=True):
            timer.load(saved)
        self.pit_input.level, self.rtc_input.level = self.state.levels

    def reset(self) -> None:
        """Stop the counter at 0 and let the PIT and the RTC have their lines back."""
        for timer in self.timers[:TIMERS]:
            timer.reset()
        super().reset()
        self.pit_enabled.set(True)

    # Time

    @property
    def enabled(self) -> bool:
        """The counter runs and timers may interrupt."""
        return bool(self.state.config & _ENABLE)

    @property
    def legacy(self) -> bool:
        """Timers 0 and 1 have taken the lines of the PIT and the RTC."""
        return bool(self.state.config & _LEGACY)

    def ticks(self) -> int:
        """Return the main counter.

        As in QEMU a running counter is 64 bits of nanoseconds divided by ten, so it wraps 4 bits
        early (after 584 years); one that is stopped has all 64.
        """
        return self.ticks_at(self._clock.now_ns())

    def ticks_at(self, now_ns: int) -> int:
        """Return the main counter as it is at ``now_ns`` of the clock."""
        if not self.enabled:
            return self.state.stopped_at
        return (now_ns - self.state.origin_ns & _ALL) // TICK_NS

    # Lines

    def line(self, number: int) -> IrqLine | None:
        """Return interrupt line ``number``, or None where the machine has none."""
        return self._irqs[number] if number < len(self._irqs) else None

    def set_line(self, number: int, level: bool) -> None:
        """Drive interrupt line ``number``."""
        line = self.line(number)
        if line is not None:
            line.set(level)

    def _pit_changed(self, level: bool) -> None:
        if not self.legacy:
            self.set_line(0, level)

    def _rtc_changed(self, level: bool) -> None:
        if not self.legacy:
            self.set_line(_RTC_LINE, level)

    # Registers

    def _read(self, offset: int, _size: int) -> int:
        high = offset & 4
        if offset >= _TIMERS_START:
            number = (offset - _TIMERS_START) // _TIMER_SIZE
            value = self.timers[number].read(offset & 0x18) if number <= TIMERS else 0
        else:
            register = offset & ~4
            if register == _COUNTER:
                value = self.ticks()
            elif register == _CAPABILITY:
                value = CAPABILITY
            elif register == _CONFIG:
                value = self.state.config
            elif register == _STATUS:
                value = self.state.status
            else:
                value = 0
        return value >> 32 if high else value & _LOW

    def _write(self, offset: int, value: int, _size: int) -> None:
        value &= _LOW
        if offset >= _TIMERS_START:
            number = (offset - _TIMERS_START) // _TIMER_SIZE
            if number <= TIMERS:
                self.timers[number].write(offset & 0x1C, value)
        elif offset == _CONFIG:
            self._write_config(value)
        elif offset == _STATUS:
            for timer in self.timers[:TIMERS]:
                if value & self.state.status & 1 << timer.number:
                    timer.drive(False)
        elif offset == _COUNTER:
            self.state.stopped_at = self.state.stopped_at & _HIGH | value
        elif offset == _COUNTER + 4:
            self.state.stopped_at = self.state.stopped_at & _LOW | value << 32

    def _write_config(self, value: int) -> None:
        now = self.ticks()
        changed = self.state.config ^ value
        self.state.config = value & (_ENABLE | _LEGACY)
        if changed & value & _ENABLE:
            origin_ns = self._clock.now_ns() - self.state.stopped_at * TICK_NS
            self.state.origin_ns = origin_ns & _ALL
            for timer in self.timers[:TIMERS]:
                timer.start_with_counter()
        elif changed & _ENABLE:
            self.state.stopped_at = now
            for timer in self.timers[:TIMERS]:
                timer.stop()
        if changed & _LEGACY:
            self.set_line(0, False)
            if self.legacy:
                self.pit_enabled.set(False)
                self.set_line(_RTC_LINE, False)
            else:
                self.pit_enabled.set(True)
                self.set_line(_RTC_LINE, self.rtc_input.level)
