"""The HPET: a 100 MHz counter and three comparators.

Registers after the IA-PC HPET Specification 1.0a, as QEMU 7.2's ``hpet`` has them on a PC: three
64-bit timers, all periodic-capable, each routable to I/O APIC input 2 only; legacy replacement
takes over the lines of the PIT and the RTC. Registers are 32-bit windows: 64-bit accesses are two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import IrqLine
from guestmap.hw.declare import SWITCH, SYS_BUS_DEVICE, declare, output, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.hpet.counter import ENABLE, LEGACY, TIMERS, HpetCounter, HpetState
from guestmap.hw.hpet.timer import TICK_NS, HpetTimer
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import BOOL, UINT8, UINT32

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from guestmap.base import Clock

ADDRESS = 0xFED0_0000
_OUTPUTS = 32
_ROUTES = 4
"""Interrupts that a timer may be routed to, as a bit mask: I/O APIC input 2."""
CAPABILITY = TICK_NS * 1_000_000 << 32 | 0x8086A001 | (TIMERS - 1) << 8
"""Period in femtoseconds, vendor 8086h, legacy routes, 64-bit counter, three timers, revision 1."""

_CAPABILITY, _CONFIG, _STATUS, _COUNTER = 0x00, 0x10, 0x20, 0xF0
_TIMERS_START, _TIMER_SIZE = 0x100, 0x20
_RTC_LINE = 8
_LOW = 0xFFFFFFFF


class Hpet(HpetCounter):
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
        super().__init__(clock, {"hpet-intcap": _ROUTES})
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
        elif offset & ~4 == _COUNTER:
            self._write_counter(value, high=offset != _COUNTER)

    def _write_config(self, value: int) -> None:
        changed = self._set_config(value)
        if changed & value & ENABLE:
            for timer in self.timers[:TIMERS]:
                timer.start_with_counter()
        elif changed & ENABLE:
            for timer in self.timers[:TIMERS]:
                timer.stop()
        if changed & LEGACY:
            self.set_line(0, False)
            if self.legacy:
                self.pit_enabled.set(False)
                self.set_line(_RTC_LINE, False)
            else:
                self.pit_enabled.set(True)
                self.set_line(_RTC_LINE, self.rtc_input.level)
