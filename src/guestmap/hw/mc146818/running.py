"""What a real-time clock does by itself: its time of day goes on, alarms and ticks come.

The flags of the update cycle are raised by one timer, and only until the guest has them both: an
idle clock costs nothing. After the Motorola MC146818A data sheet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import PeriodicTimer
from guestmap.hw.device import DeviceModel
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

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from guestmap.base import Clock, IrqLine
    from guestmap.qom import JsonValue

_UIP_NS = 8 * SECOND_NS // reg.CRYSTAL_HZ
"""UIP rises this long before the update (244 us, data sheet table 5)."""
_MIN_GAP_NS = 50_000  # periodic interrupts of a late timer are spread, not sent in one burst
_MAX_LAG_NS = SECOND_NS


class RunningClock(DeviceModel[RtcState]):
    """The clock; how a guest reaches its registers is a subclass's.

    Args:
        clock: what it counts: the host's time, where the machine can be paused.
        irq: its interrupt line.
        epoch_ns: its time (since 1970, UTC) when ``clock`` is at 0.
        values: properties that are not as their type says.

    Attributes:
        on_alarm: called where the guest's alarm comes that it lets interrupt it.
    """

    def __init__(
        self, clock: Clock, irq: IrqLine, epoch_ns: int, values: Mapping[str, JsonValue]
    ) -> None:
        super().__init__(RtcState(), values)
        self._clock = clock
        self._irq = irq
        self._epoch_ns = epoch_ns
        self._update_timer = clock.timer(self._on_update)
        self._next_alarm_ns = 0
        self.on_alarm: Callable[[], None] = lambda: None
        self._periodic_timer = PeriodicTimer(
            clock, self._on_periodic, min_gap_ns=_MIN_GAP_NS, max_lag_ns=_MAX_LAG_NS
        )

    @property
    def cmos(self) -> bytearray:
        """The 128 bytes. Those of the time of day hold what was last read or written."""
        return self.state.cmos

    @property
    def time(self) -> RtcTime:
        """The time of day that the guest would read, whether or not it is being set."""
        self._refresh_time()
        return decode_time(self.cmos)

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

    # the time of day

    @property
    def _base_ns(self) -> int:
        """The guest's time of day is this plus the clock."""
        return self._epoch_ns + self.state.ahead_s * SECOND_NS + self.state.ahead_ns

    @_base_ns.setter
    def _base_ns(self, base_ns: int) -> None:
        self.state.ahead_s, self.state.ahead_ns = divmod(base_ns - self._epoch_ns, SECOND_NS)

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
            if cmos[reg.B] & reg.B_AIE:
                self.on_alarm()
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
