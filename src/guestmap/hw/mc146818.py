"""The MC146818 real-time clock and its 128 bytes of CMOS memory (ports 70h and 71h).

Registers as in the Motorola MC146818A data sheet, with the century at 32h (and its PS/2 alias 37h).
The time of day is a wall-clock time given to the constructor plus what a clock has counted since:
the host's in a machine that can be paused, as with QEMU's ``-rtc clock=host``. Writing port 70h
chooses one of 128 bytes (bit 7, the NMI mask, is dropped) and reading it gives FFh; flags of the
update cycle are raised by one timer, and only until the guest has them both: an idle clock costs
nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import PeriodicTimer
from guestmap.hw.rtc_time import (
    SECOND_NS,
    RtcTime,
    decode_alarm,
    decode_time,
    encode_time,
    seconds_to_alarm,
)
from guestmap.memory import AccessSizes, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.memory import MemorySystem

PORT = 0x70
CRYSTAL_HZ = 32_768

REG_SECONDS, REG_MINUTES, REG_HOURS = 0x00, 0x02, 0x04
REG_SECONDS_ALARM, REG_MINUTES_ALARM, REG_HOURS_ALARM = 0x01, 0x03, 0x05
REG_WEEKDAY, REG_DAY, REG_MONTH, REG_YEAR = 0x06, 0x07, 0x08, 0x09
REG_A, REG_B, REG_C, REG_D = 0x0A, 0x0B, 0x0C, 0x0D
REG_SHUTDOWN_STATUS = 0x0F
REG_CENTURY, REG_CENTURY_PS2 = 0x32, 0x37

_TIME_REGISTERS = frozenset(
    (REG_SECONDS, REG_MINUTES, REG_HOURS, REG_WEEKDAY, REG_DAY, REG_MONTH, REG_YEAR, REG_CENTURY)
)
_ALARM_REGISTERS = frozenset((REG_SECONDS_ALARM, REG_MINUTES_ALARM, REG_HOURS_ALARM))

_A_UIP, _A_DIVIDER, _A_DIVIDER_RESET, _A_RATE = 0x80, 0x70, 0x60, 0x0F
_A_DIVIDER_32768 = 0x20  # and below: the divider runs
_B_SET, _B_PIE, _B_AIE, _B_UIE, _B_SQWE = 0x80, 0x40, 0x20, 0x10, 0x08
_C_IRQF, _C_PF, _C_AF, _C_UF = 0x80, 0x40, 0x20, 0x10

_UIP_NS = 8 * SECOND_NS // CRYSTAL_HZ
"""UIP rises this long before the update (244 us, data sheet table 5)."""
_ASLEEP_BY_SUSPEND = 0xFE
_MIN_GAP_NS = 50_000  # periodic interrupts of a late timer are spread, not sent in one burst
_MAX_LAG_NS = SECOND_NS


class Mc146818:
    """The clock chip.

    Attributes:
        region: ``rtc``, 2 bytes, holding ``rtc-index`` (1 byte) at offset 0.
        cmos: the 128 bytes. Those of the time of day hold what was last read or written.
    """

    def __init__(
        self, memory: MemorySystem, clock: Clock, irq: IrqLine, *, epoch_ns: int = 0
    ) -> None:
        """Make a chip whose time is ``epoch_ns`` (since 1970, UTC) when ``clock`` is at 0."""
        self._clock = clock
        self._irq = irq
        self._base_ns = epoch_ns  # the guest's time of day is this plus the clock
        self._fraction_ns = 0
        self._index = 0
        self._update_timer = clock.timer(self._on_update)
        self._next_alarm_ns = 0
        self._periodic_timer = PeriodicTimer(
            clock, self._on_periodic, min_gap_ns=_MIN_GAP_NS, max_lag_ns=_MAX_LAG_NS
        )
        self.cmos = bytearray(128)
        self.cmos[REG_A] = _A_DIVIDER_32768 | 6  # 32768 Hz time base, 1024 Hz periodic rate
        self.cmos[REG_B] = 0x02  # BCD, 24 hours
        self.cmos[REG_D] = 0x80  # the battery is good
        self._refresh_time()
        one = AccessSizes(min=1, max=1)
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=one)
        self.region: MemoryRegion = memory.io("rtc", 2, ops)
        self.region.add_subregion(0, memory.io("rtc-index", 1, ops))
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((PORT, self.region),)
        self.reset()

    def reset(self) -> None:
        """Disable and clear the interrupts; the time and the memory live on."""
        cmos = self.cmos
        if cmos[REG_SHUTDOWN_STATUS] != _ASLEEP_BY_SUSPEND:
            cmos[REG_SHUTDOWN_STATUS] = 0
        cmos[REG_B] &= ~(_B_PIE | _B_AIE | _B_SQWE) & 0xFF
        cmos[REG_C] = 0
        self._periodic_timer.stop()
        self._irq.set(False)
        self._schedule_update()

    def set_cmos(self, index: int, value: int) -> None:
        """Set byte ``index`` (0-127) as the machine does before the guest starts."""
        self.cmos[index & 0x7F] = value & 0xFF

    @property
    def time(self) -> RtcTime:
        """The time of day that the guest would read, whether or not it is being set."""
        self._refresh_time()
        return decode_time(self.cmos)

    def _read(self, offset: int, size: int) -> int:
        if not offset & 1:
            return 0xFF
        index = self._index
        if index == REG_CENTURY_PS2:
            index = REG_CENTURY
        cmos = self.cmos
        if index in _TIME_REGISTERS:
            self._refresh_time()
            return cmos[index]
        if index == REG_A:
            return cmos[REG_A] | self._update_in_progress() << 7
        if index == REG_C:
            flags = cmos[REG_C]
            cmos[REG_C] = 0
            self._irq.set(False)
            if flags & (_C_UF | _C_AF):
                self._schedule_update()
            return flags
        return cmos[index]

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        if not offset & 1:
            self._index = value & 0x7F
            return
        index = self._index
        if index == REG_CENTURY_PS2:
            index = REG_CENTURY
        if index == REG_A:
            self._write_a(value)
        elif index == REG_B:
            self._write_b(value)
        elif index not in (REG_C, REG_D):
            self.cmos[index] = value
            if index in _TIME_REGISTERS:
                if self._runs():
                    self._set_time()
                    self._schedule_update()
            elif index in _ALARM_REGISTERS:
                self._schedule_update()

    def _write_a(self, value: int) -> None:
        cmos = self.cmos
        old = cmos[REG_A]
        if value & _A_DIVIDER_RESET == _A_DIVIDER_RESET:
            if self._runs():
                self._refresh_time()
        elif (
            old & _A_DIVIDER_RESET == _A_DIVIDER_RESET
            and value & _A_DIVIDER <= _A_DIVIDER_32768
            and not cmos[REG_B] & _B_SET
        ):
            # The first update comes half a second after the divider is let go (data sheet).
            self._fraction_ns = SECOND_NS // 2
            self._set_time()
        cmos[REG_A] = value & ~_A_UIP
        if (old ^ value) & _A_RATE:
            self._start_periodic()
        self._schedule_update()

    def _write_b(self, value: int) -> None:
        cmos = self.cmos
        old = cmos[REG_B]
        if value & _B_SET:
            if self._runs():
                self._refresh_time()
            value &= ~_B_UIE
        elif old & _B_SET and cmos[REG_A] & _A_DIVIDER <= _A_DIVIDER_32768:
            self._fraction_ns = (self._base_ns + self._clock.now_ns()) % SECOND_NS
            self._set_time()
        # A flag that is already up interrupts as soon as it may.
        wanted = bool(value & cmos[REG_C] & (_C_PF | _C_AF | _C_UF))
        cmos[REG_C] = cmos[REG_C] & ~_C_IRQF | wanted << 7
        self._irq.set(wanted)
        cmos[REG_B] = value
        if (old ^ value) & _B_PIE:
            self._start_periodic()
        self._schedule_update()

    # the time of day

    def _runs(self) -> bool:
        return not self.cmos[REG_B] & _B_SET and self.cmos[REG_A] & _A_DIVIDER <= _A_DIVIDER_32768

    def _refresh_time(self) -> None:
        if self._runs():
            encode_time(self.cmos, (self._base_ns + self._clock.now_ns()) // SECOND_NS)

    def _set_time(self) -> None:
        """Let the clock go on from the registers' time, the present fraction into its second."""
        seconds = decode_time(self.cmos).seconds_since_1970()
        self._base_ns = seconds * SECOND_NS + self._fraction_ns - self._clock.now_ns()

    # the update cycle: update and alarm interrupts

    def _update_in_progress(self) -> bool:
        if not self._runs():
            return False
        return (self._base_ns + self._clock.now_ns()) % SECOND_NS >= SECOND_NS - _UIP_NS

    def _schedule_update(self) -> None:
        """Arm the timer for the next second, or for the next alarm where UF is up already."""
        cmos = self.cmos
        flags = cmos[REG_C]
        if (
            cmos[REG_A] & _A_DIVIDER_RESET == _A_DIVIDER_RESET
            or (flags & _C_UF and cmos[REG_B] & _B_SET)
            or flags & (_C_UF | _C_AF) == _C_UF | _C_AF
        ):
            self._update_timer.cancel()
            return
        now = self._clock.now_ns()
        update_ns = now + SECOND_NS - (self._base_ns + now) % SECOND_NS
        if not cmos[REG_B] & _B_SET:
            encode_time(cmos, (self._base_ns + now) // SECOND_NS)
        wait = seconds_to_alarm(decode_time(cmos), decode_alarm(cmos))
        self._next_alarm_ns = update_ns + (wait - 1) * SECOND_NS
        self._update_timer.arm(self._next_alarm_ns if flags & _C_UF else update_ns)

    def _on_update(self) -> None:
        cmos = self.cmos
        new = _C_UF
        if self._clock.now_ns() >= self._next_alarm_ns:
            new |= _C_AF
        fresh = new & ~cmos[REG_C]
        cmos[REG_C] |= new
        if fresh & cmos[REG_B]:
            cmos[REG_C] |= _C_IRQF
            self._irq.set(True)
        self._schedule_update()

    # the periodic interrupt

    def _period(self) -> int:
        """Return the crystal's ticks between periodic interrupts, 0 where there are none."""
        rate = self.cmos[REG_A] & _A_RATE
        if not rate or not self.cmos[REG_B] & _B_PIE:
            return 0
        return 1 << (rate + 7 if rate <= 2 else rate) - 1

    def _start_periodic(self) -> None:
        self._periodic_timer.start(self._next_periodic(self._clock.now_ns()))

    def _next_periodic(self, after_ns: int) -> int | None:
        period = self._period()
        if not period:
            return None
        ticks = after_ns * CRYSTAL_HZ // SECOND_NS + period
        return ticks * SECOND_NS // CRYSTAL_HZ + 1

    def _on_periodic(self, due_ns: int) -> int | None:
        self.cmos[REG_C] |= _C_PF
        if self.cmos[REG_B] & _B_PIE:
            self.cmos[REG_C] |= _C_IRQF
            self._irq.set(True)
        return self._next_periodic(due_ns)
