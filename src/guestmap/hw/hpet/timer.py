"""One comparator of the HPET.

Bits and rules after the IA-PC HPET Specification 1.0a, section 2.3.8 and 2.3.9.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import PeriodicTimer
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U64, Ns, RegisterBlock

if TYPE_CHECKING:
    from guestmap.base import Clock
    from guestmap.hw.hpet.device import Hpet

_LEVEL = 0x0002
_INTERRUPT_ENABLE = 0x0004
_PERIODIC = 0x0008
_PERIODIC_CAPABLE = 0x0010
_64_BIT_CAPABLE = 0x0020
_SET_VALUE = 0x0040
_32_BIT = 0x0100
_ROUTE_SHIFT, _ROUTE_MASK = 9, 0x1F
_FSB_ENABLE = 0x4000
_WRITABLE = 0x7F4E
_ROUTES = 0x00000004  # capability: I/O APIC input 2 only
_RESET = _ROUTES << 32 | _64_BIT_CAPABLE | _PERIODIC_CAPABLE

_CONFIG, _COMPARATOR, _MESSAGE = 0x00, 0x08, 0x10
_LOW, _HIGH, _ALL = 0xFFFFFFFF, 0xFFFFFFFF00000000, 0xFFFFFFFFFFFFFFFF
_LEGACY_LINES = (0, 8)

TICK_NS = 10
"""Period of the main counter: 10 ns, so 100 MHz."""

_SHORTEST_NS = 20_000
"""No two interrupts of one periodic timer come closer: a guest cannot drown its host."""


@dataclass(slots=True)
class HpetTimerState:
    """The registers of one timer, and when it interrupts next.

    Attributes:
        wraps: it waits for the counter's wrap, and for its comparator after that.
    """

    config: U64 = _RESET
    comparator: U64 = _ALL
    period: U64 = 0
    message: U64 = 0
    wraps: bool = False
    due_ns: tuple[Ns, Ns] | None = None


class HpetTimer(RegisterBlock[HpetTimerState]):
    """Configuration, comparator and message registers of timer ``number``."""

    OUTLIVES_RESET = ("message",)  # it has no reset value

    def __init__(self, hpet: Hpet, clock: Clock, number: int) -> None:
        super().__init__(HpetTimerState() if number < 3 else HpetTimerState(0, 0))
        self._hpet = hpet
        self._clock = clock
        self._timer = PeriodicTimer(clock, self._expired, min_gap_ns=_SHORTEST_NS)
        self.number = number

    @property
    def config(self) -> int:
        """The configuration register."""
        return self.state.config

    @property
    def comparator(self) -> int:
        """The comparator."""
        return self.state.comparator

    def reset(self) -> None:
        """Stop; comparator all ones."""
        self.stop()
        super().reset()

    def save(self) -> HpetTimerState:
        """Return the registers, and when it interrupts."""
        self.state.due_ns = self._timer.pending
        return super().save()

    def load(self, state: HpetTimerState) -> None:
        """Go on from there."""
        super().load(state)
        self._timer.resume(self.state.due_ns)

    # Registers; ``offset`` counts from the timer's own block

    def read(self, offset: int) -> int:
        """Return the 64-bit register at ``offset``."""
        if offset == _CONFIG:
            return self.state.config
        if offset == _COMPARATOR:
            return self.state.comparator
        return self.state.message if offset == _MESSAGE else 0

    def write(self, offset: int, value: int) -> None:
        """Write 32 bits at ``offset``."""
        if offset == _CONFIG:
            self._write_config(value)
        elif offset == _COMPARATOR:
            self._write_comparator_low(value)
        elif offset == _COMPARATOR + 4:
            self._write_comparator_high(value)
        elif offset == _MESSAGE:
            self.state.message = self.state.message & _HIGH | value
        elif offset == _MESSAGE + 4:
            self.state.message = self.state.message & _LOW | value << 32

    def _write_config(self, value: int) -> None:
        old = self.state.config
        if value & ~old & _FSB_ENABLE:
            self.drive(False)  # what the wire still holds must not outlive the change of route
        self.state.config = old & ~_WRITABLE | value & _WRITABLE
        if value & _32_BIT:
            self.state.comparator &= _LOW
            self.state.period &= _LOW
        if value & ~old & _INTERRUPT_ENABLE:
            if self._hpet.enabled:
                self._arm()
        elif old & ~value & _INTERRUPT_ENABLE:
            self.stop()

    def _write_comparator_low(self, value: int) -> None:
        if not self._periodic or self.state.config & _SET_VALUE:
            self.state.comparator = self.state.comparator & _HIGH | value
        if self._periodic:
            self.state.period = self.state.period & _HIGH | value & self._largest_period
        self._comparator_written()

    def _write_comparator_high(self, value: int) -> None:
        if not self._periodic or self.state.config & _SET_VALUE:
            self.state.comparator = self.state.comparator & _LOW | value << 32
        else:
            self.state.period = (
                self.state.period & _LOW | (value & self._largest_period) << 32 & _ALL
            )
        self._comparator_written()

    def _comparator_written(self) -> None:
        self.state.config &= ~_SET_VALUE
        if self._hpet.enabled:
            self._arm()

    @property
    def _periodic(self) -> bool:
        return bool(self.state.config & _PERIODIC)

    @property
    def _largest_period(self) -> int:
        return (_LOW if self.state.config & _32_BIT else _ALL) >> 1

    # Time

    def start_with_counter(self) -> None:
        """The main counter starts: arm, unless the comparator was never set."""
        if self.state.comparator != _ALL:
            self._arm()

    def stop(self) -> None:
        """Disarm and let go of the line."""
        self._timer.stop()
        self.drive(False)

    def _distance(self, now: int) -> int:
        """Ticks from ``now`` to the comparator; one that has passed is met at the next tick."""
        bits = 32 if self.state.config & _32_BIT else 64
        distance = (self.state.comparator - now) & (1 << bits) - 1
        return distance if 0 < distance < 1 << bits - 1 else 1

    def _arm(self) -> None:
        now_ns = self._clock.now_ns()
        now = self._hpet.ticks_at(now_ns)
        self.state.wraps = False
        distance = self._distance(now)
        if self.state.config & _32_BIT and not self._periodic:
            # The specification has 32-bit one-shot timers interrupt at the counter's wrap too.
            to_wrap = _LOW - (now & _LOW)
            if to_wrap < distance:
                distance = to_wrap
                self.state.wraps = True
        self._timer.start(now_ns + distance * TICK_NS)

    def _skip_missed_periods(self, now: int) -> None:
        """Move the comparator to the first multiple of the period that lies ahead."""
        bits = 32 if self.state.config & _32_BIT else 64
        mask = (1 << bits) - 1
        behind = (now - self.state.comparator) & mask
        if behind >= 1 << bits - 1 or behind == 0:
            return
        periods = -(-behind // self.state.period)
        self.state.comparator = (self.state.comparator + periods * self.state.period) & mask

    def _expired(self, now_ns: int) -> int | None:
        """Interrupt; return when to do so again."""
        again = self._again(self._hpet.ticks_at(now_ns))
        self.drive(True)
        return None if again is None else now_ns + again * TICK_NS

    def _again(self, now: int) -> int | None:
        """Return in how many ticks the next interrupt is due, None where there is none."""
        if self._periodic and self.state.period:
            self._skip_missed_periods(now)
            if not (self.state.comparator - now) & (_LOW if self.state.config & _32_BIT else _ALL):
                self.state.comparator += self.state.period
                self.state.comparator &= _LOW if self.state.config & _32_BIT else _ALL
            return self._distance(now)
        if self.state.wraps:
            self.state.wraps = False
            return self._distance(now)
        return None

    # Interrupts

    def drive(self, level: bool) -> None:
        """Interrupt, or let go of the line, by the route and the type that are configured."""
        hpet = self._hpet
        bit = 1 << self.number
        if hpet.legacy and self.number < len(_LEGACY_LINES):
            route = _LEGACY_LINES[self.number]
        else:
            route = self.state.config >> _ROUTE_SHIFT & _ROUTE_MASK
        if not level or not self.state.config & _INTERRUPT_ENABLE or not hpet.enabled:
            hpet.status &= ~bit
            if not self.state.config & _FSB_ENABLE:
                hpet.set_line(route, False)
        elif self.state.config & _FSB_ENABLE:
            if hpet.send_msi is not None:
                hpet.send_msi(self.state.message >> 32, self.state.message & _LOW)
        elif self.state.config & _LEVEL:
            hpet.status |= bit
            hpet.set_line(route, True)
        else:
            hpet.status &= ~bit
            line = hpet.line(route)
            if line is not None:
                line.pulse()
