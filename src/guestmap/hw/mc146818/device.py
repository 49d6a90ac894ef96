"""The MC146818 real-time clock and its 128 bytes of CMOS memory (ports 70h and 71h).

Registers as in the Motorola MC146818A data sheet, with the century at 32h (and its PS/2 alias 37h).
The time of day is a wall-clock time given to the constructor plus what a clock has counted since:
the host's in a machine that can be paused, as with QEMU's ``-rtc clock=host``. Writing port 70h
chooses one of 128 bytes (bit 7, the NMI mask, is dropped) and reading it gives FFh. What goes on
without the guest is :mod:`guestmap.hw.mc146818.running`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from guestmap.hw.declare import HAS_AML, ISA_DEVICE, declare, fact, output, setting
from guestmap.hw.device import IoRegion, Place, Space
from guestmap.hw.mc146818 import registers as reg
from guestmap.hw.mc146818.running import RunningClock
from guestmap.hw.mc146818.time import SECOND_NS
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import INT32, UINT8, UINT16, enum, opaque

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.qom import JsonValue

PORT = 0x70
_ASLEEP = 0xFE  # what the firmware finds in the shutdown status when it is to resume
_YEAR_ZERO = 1900  # of C's struct tm
_LINE = 8


class Mc146818(RunningClock):
    """The clock chip.

    Args:
        clock: what it counts: the host's time, where the machine can be paused.
        irq: its interrupt line.
        epoch_ns: its time (since 1970, UTC) when ``clock`` is at 0.
    """

    TYPE = declare(
        "mc146818rtc",
        ISA_DEVICE,
        setting("base_year", INT32, 1980),
        setting("iobase", UINT16, PORT),
        setting("irq", UINT8, _LINE),
        setting(
            "lost_tick_policy", enum("LostTickPolicy", ("discard", "delay", "slew")), "discard"
        ),
        interfaces=HAS_AML,
        user_creatable=True,
        once_realized=(output(), fact("date", opaque("struct tm"))),
    )
    OUTLIVES_RESET = ("cmos", "index", "ahead_s", "ahead_ns", "fraction_ns")

    def __init__(self, clock: Clock, irq: IrqLine, *, epoch_ns: int = 0) -> None:
        super().__init__(clock, irq, epoch_ns, {"base_year": 0})
        self._refresh_time()
        self.reset()

    def places(self) -> tuple[Place, ...]:
        """Return ``rtc``, 2 bytes, with ``rtc-index``, 1 byte, over the first of them."""
        one = AccessSizes(min=1, max=1)
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=one)
        index = IoRegion("rtc-index", 1, ops)
        return (Place(Space.IO, PORT, IoRegion("rtc", 2, ops, ((0, index),))),)

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """The interrupt."""
        return {"unnamed-gpio-out[0]": self._irq}

    def value(self, name: str, fallback: JsonValue) -> JsonValue:
        """Return a property's value; the date as C's ``struct tm``."""
        if name != "date":
            return super().value(name, fallback)
        now = self.time
        return {
            "tm_year": now.year - _YEAR_ZERO, "tm_mon": now.month - 1, "tm_mday": now.day,
            "tm_hour": now.hour, "tm_min": now.minute, "tm_sec": now.second,
        }  # fmt: skip

    def reset(self) -> None:
        """Disable and clear the interrupts; the time and the memory live on."""
        super().reset()
        cmos = self.cmos
        if cmos[reg.SHUTDOWN_STATUS] != _ASLEEP:
            cmos[reg.SHUTDOWN_STATUS] = 0
        cmos[reg.B] &= ~(reg.B_PIE | reg.B_AIE | reg.B_SQWE) & 0xFF
        cmos[reg.C] = 0
        self._periodic_timer.stop()
        self._irq.set(False)
        self._schedule_update()

    def fall_asleep(self) -> None:
        """Note that the machine sleeps in RAM: the firmware that runs next is to resume."""
        self.cmos[reg.SHUTDOWN_STATUS] = _ASLEEP

    @property
    def alarm_is_on(self) -> bool:
        """Whether the guest lets the alarm interrupt it."""
        return bool(self.cmos[reg.B] & reg.B_AIE)

    def set_cmos(self, index: int, value: int) -> None:
        """Set byte ``index`` (0-127) as the machine does before the guest starts."""
        self.cmos[index & 0x7F] = value & 0xFF

    def _read(self, offset: int, size: int) -> int:
        if not offset & 1:
            return 0xFF
        index = self.state.index
        if index == reg.CENTURY_PS2:
            index = reg.CENTURY
        cmos = self.cmos
        if index in reg.TIME_REGISTERS:
            self._refresh_time()
            return cmos[index]
        if index == reg.A:
            return cmos[reg.A] | self._update_in_progress() << 7
        if index == reg.C:
            flags = cmos[reg.C]
            cmos[reg.C] = 0
            self._irq.set(False)
            if flags & (reg.C_UF | reg.C_AF):
                self._schedule_update()
            return flags
        return cmos[index]

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        if not offset & 1:
            self.state.index = value & 0x7F
            return
        index = self.state.index
        if index == reg.CENTURY_PS2:
            index = reg.CENTURY
        if index == reg.A:
            self._write_a(value)
        elif index == reg.B:
            self._write_b(value)
        elif index not in (reg.C, reg.D):
            self.cmos[index] = value
            if index in reg.TIME_REGISTERS:
                if self._runs():
                    self._set_time()
                    self._schedule_update()
            elif index in reg.ALARM_REGISTERS:
                self._schedule_update()

    def _write_a(self, value: int) -> None:
        cmos = self.cmos
        old = cmos[reg.A]
        if value & reg.A_DIVIDER_RESET == reg.A_DIVIDER_RESET:
            if self._runs():
                self._refresh_time()
        elif (
            old & reg.A_DIVIDER_RESET == reg.A_DIVIDER_RESET
            and value & reg.A_DIVIDER <= reg.A_DIVIDER_32768
            and not cmos[reg.B] & reg.B_SET
        ):
            # The first update comes half a second after the divider is let go (data sheet).
            self.state.fraction_ns = SECOND_NS // 2
            self._set_time()
        cmos[reg.A] = value & ~reg.A_UIP
        if (old ^ value) & reg.A_RATE:
            self._start_periodic()
        self._schedule_update()

    def _write_b(self, value: int) -> None:
        cmos = self.cmos
        old = cmos[reg.B]
        if value & reg.B_SET:
            if self._runs():
                self._refresh_time()
            value &= ~reg.B_UIE
        elif old & reg.B_SET and cmos[reg.A] & reg.A_DIVIDER <= reg.A_DIVIDER_32768:
            self.state.fraction_ns = (self._base_ns + self._clock.now_ns()) % SECOND_NS
            self._set_time()
        # A flag that is already up interrupts as soon as it may.
        wanted = bool(value & cmos[reg.C] & (reg.C_PF | reg.C_AF | reg.C_UF))
        cmos[reg.C] = cmos[reg.C] & ~reg.C_IRQF | wanted << 7
        self._irq.set(wanted)
        cmos[reg.B] = value
        if (old ^ value) & reg.B_PIE:
            self._start_periodic()
        self._schedule_update()
