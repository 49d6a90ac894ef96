"""The MC146818 real-time clock and its 128 bytes of CMOS memory (ports 70h and 71h).

Registers as in the Motorola MC146818A data sheet, with the century at 32h (and its PS/2 alias 37h).
The time of day is a wall-clock time given to the constructor plus what a clock has counted since:
the host's in a machine that can be paused, as with QEMU's ``-rtc clock=host``. Writing port 70h
chooses one of 128 bytes (bit 7, the NMI mask, is dropped) and reading it gives FFh; flags of the
update cycle are raised by one timer, and only until the guest has them both: an idle clock costs
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from guestmap.base import PeriodicTimer
from guestmap.hw.declare import HAS_AML, ISA_DEVICE, declare, fact, output, setting
from guestmap.hw.device import DeviceModel, IoRegion, Place, Space
from guestmap.hw.mc146818 import registers as reg
from guestmap.hw.mc146818.registers import RtcState
from guestmap.hw.mc146818.time import (
    SECOND_NS,
    RtcTime,
    decode_alarm,
    decode_time,
    encode_time,
    seconds_to_alarm,
)
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import INT32, UINT8, UINT16, enum, opaque

if TYPE_CHECKING:
    from guestmap.base import Clock, IrqLine
    from guestmap.qom import JsonValue

PORT = 0x70
_UIP_NS = 8 * SECOND_NS // reg.CRYSTAL_HZ
"""UIP rises this long before the update (244 us, data sheet table 5)."""
_ASLEEP_BY_SUSPEND = 0xFE
_MIN_GAP_NS = 50_000  # periodic interrupts of a late timer are spread, not sent in one burst
_MAX_LAG_NS = SECOND_NS


_YEAR_ZERO = 1900  # of C's struct tm
_LINE = 8


class Mc146818(DeviceModel[RtcState]):
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
        super().__init__(RtcState(), {"base_year": 0})
        self._clock = clock
        self._irq = irq
        self._epoch_ns = epoch_ns
        self._update_timer = clock.timer(self._on_update)
        self._next_alarm_ns = 0
        self._periodic_timer = PeriodicTimer(
            clock, self._on_periodic, min_gap_ns=_MIN_GAP_NS, max_lag_ns=_MAX_LAG_NS
        )
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

    @property
    def cmos(self) -> bytearray:
        """The 128 bytes. Those of the time of day hold what was last read or written."""
        return self.state.cmos

    def reset(self) -> None:
        """Disable and clear the interrupts; the time and the memory live on."""
        super().reset()
        cmos = self.cmos
        if cmos[reg.SHUTDOWN_STATUS] != _ASLEEP_BY_SUSPEND:
            cmos[reg.SHUTDOWN_STATUS] = 0
        cmos[reg.B] &= ~(reg.B_PIE | reg.B_AIE | reg.B_SQWE) & 0xFF
        cmos[reg.C] = 0
        self._periodic_timer.stop()
        self._irq.set(False)
        self._schedule_update()

    def save(self) -> RtcState:
        """Return memory and time of day; what comes is told by how long it is until then."""
        pending, now = self._periodic_timer.pending, self._clock.now_ns()
        self.state.periodic_in_ns = (
            (pending[0] - now, pending[1] - now) if pending is not None else None
        )
        return super().save()

    def load(self, state: RtcState) -> None:
        """Go on from there; a clock that kept the host's time keeps it."""
        super().load(state)
        left, now = self.state.periodic_in_ns, self._clock.now_ns()
        self._periodic_timer.resume((now + left[0], now + left[1]) if left is not None else None)
        self._schedule_update()

    @property
    def _base_ns(self) -> int:
        """The guest's time of day is this plus the clock."""
        return self._epoch_ns + self.state.ahead_s * SECOND_NS + self.state.ahead_ns

    @_base_ns.setter
    def _base_ns(self, base_ns: int) -> None:
        self.state.ahead_s, self.state.ahead_ns = divmod(base_ns - self._epoch_ns, SECOND_NS)

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

    # the time of day

    def _runs(self) -> bool:
        return (
            not self.cmos[reg.B] & reg.B_SET
            and self.cmos[reg.A] & reg.A_DIVIDER <= reg.A_DIVIDER_32768
        )

    def _refresh_time(self) -> None:
        if self._runs():
            encode_time(self.cmos, (self._base_ns + self._clock.now_ns()) // SECOND_NS)

    def _set_time(self) -> None:
        """Let the clock go on from the registers' time, the present fraction into its second."""
        seconds = decode_time(self.cmos).seconds_since_1970()
        self._base_ns = seconds * SECOND_NS + self.state.fraction_ns - self._clock.now_ns()

    # the update cycle: update and alarm interrupts

    def _update_in_progress(self) -> bool:
        if not self._runs():
            return False
        return (self._base_ns + self._clock.now_ns()) % SECOND_NS >= SECOND_NS - _UIP_NS

    def _schedule_update(self) -> None:
        """Arm the timer for the next second, or for the next alarm where UF is up already."""
        cmos = self.cmos
        flags = cmos[reg.C]
        if (
            cmos[reg.A] & reg.A_DIVIDER_RESET == reg.A_DIVIDER_RESET
            or (flags & reg.C_UF and cmos[reg.B] & reg.B_SET)
            or flags & (reg.C_UF | reg.C_AF) == reg.C_UF | reg.C_AF
        ):
            self._update_timer.cancel()
            return
        now = self._clock.now_ns()
        update_ns = now + SECOND_NS - (self._base_ns + now) % SECOND_NS
        if not cmos[reg.B] & reg.B_SET:
            encode_time(cmos, (self._base_ns + now) // SECOND_NS)
        wait = seconds_to_alarm(decode_time(cmos), decode_alarm(cmos))
        self._next_alarm_ns = update_ns + (wait - 1) * SECOND_NS
        self._update_timer.arm(self._next_alarm_ns if flags & reg.C_UF else update_ns)

    def _on_update(self) -> None:
        cmos = self.cmos
        new = reg.C_UF
        if self._clock.now_ns() >= self._next_alarm_ns:
            new |= reg.C_AF
        fresh = new & ~cmos[reg.C]
        cmos[reg.C] |= new
        if fresh & cmos[reg.B]:
            cmos[reg.C] |= reg.C_IRQF
            self._irq.set(True)
        self._schedule_update()

    # the periodic interrupt

    def _period(self) -> int:
        """Return the crystal's ticks between periodic interrupts, 0 where there are none."""
        rate = self.cmos[reg.A] & reg.A_RATE
        if not rate or not self.cmos[reg.B] & reg.B_PIE:
            return 0
        return 1 << (rate + 7 if rate <= 2 else rate) - 1

    def _start_periodic(self) -> None:
        self._periodic_timer.start(self._next_periodic(self._clock.now_ns()))

    def _next_periodic(self, after_ns: int) -> int | None:
        period = self._period()
        if not period:
            return None
        ticks = after_ns * reg.CRYSTAL_HZ // SECOND_NS + period
        return ticks * SECOND_NS // reg.CRYSTAL_HZ + 1

    def _on_periodic(self, due_ns: int) -> int | None:
        self.cmos[reg.C] |= reg.C_PF
        if self.cmos[reg.B] & reg.B_PIE:
            self.cmos[reg.C] |= reg.C_IRQF
            self._irq.set(True)
        return self._next_periodic(due_ns)
