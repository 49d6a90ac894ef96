"""The Intel 8254 interval timer: three 16-bit counters clocked at 1.193182 MHz.

Nothing happens on a tick: counts and outputs are computed from the clock when somebody looks, and
only counter 0, whose output is an interrupt line, arms a timer for its next edge. Registers are
those of the Intel 8254 data sheet. Where silicon and QEMU 7.2 differ, this is QEMU: counting is
binary even with the BCD bit set (the read-back status reports the bit), reprogramming takes effect
at once, and a low gate stops nothing (its rising edge restarts modes 1, 2, 3 and 5).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated

from guestmap.base import IrqLine, PeriodicTimer
from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ISA_DEVICE, declare, output, setting
from guestmap.hw.device import DeviceModel, IoRegion, Ns, Place, Space
from guestmap.hw.i8254.access import latch, read_back, read_byte, set_mode, write_byte
from guestmap.hw.i8254.counter import SECOND_NS, Counter
from guestmap.memory import AccessSizes, MemoryRegionOps
from guestmap.qom import UINT32

if TYPE_CHECKING:
    from guestmap.base import Clock

PORT = 0x40

_MIN_GAP_NS = 50_000
"""Edges closer together than this are spread: a counter of 2 must not starve everything else."""
_MAX_LAG_NS = SECOND_NS
"""Edges that a late timer has not delivered after this long are dropped."""


def _counters() -> list[Counter]:
    return [Counter(), Counter(), Counter(gate=False)]


@dataclass(slots=True)
class PitState:
    """The counters, and when the output of the first one changes next."""

    counters: Annotated[list[Counter], Meta(min_length=3, max_length=3)] = field(
        default_factory=_counters
    )
    irq_enabled: bool = True
    edge_ns: tuple[Ns, Ns] | None = None


PIT_COMMON = declare("pit-common", ISA_DEVICE, abstract=True)


class I8254(DeviceModel[PitState]):
    """The timer chip at ports 40h-43h.

    Args:
        clock: what the counters count.
        irq: the output of counter 0.

    Attributes:
        irq_enable: whether counter 0 drives its line, see :meth:`set_irq_enabled`.
    """

    TYPE = declare(
        "isa-pit",
        PIT_COMMON,
        setting("iobase", UINT32, 0xFFFF_FFFF),
        once_realized=(output(),),
        inputs=(("unnamed-gpio-in", 1),),
    )
    OUTLIVES_RESET = ("counters", "irq_enabled")

    def __init__(self, clock: Clock, irq: IrqLine) -> None:
        super().__init__(PitState(), {"iobase": PORT})
        self._clock = clock
        self._irq = irq
        self._edges = PeriodicTimer(
            clock, self._on_edge, min_gap_ns=_MIN_GAP_NS, max_lag_ns=_MAX_LAG_NS
        )
        self.irq_enable = IrqLine(self.set_irq_enabled, name="pit enabled")
        self.irq_enable.level = True
        self.reset()

    @property
    def counters(self) -> list[Counter]:
        """The three counters."""
        return self.state.counters

    def places(self) -> tuple[Place, ...]:
        """Return the four registers, ``pit``."""
        one = AccessSizes(min=1, max=1)
        ops = MemoryRegionOps(read=self._read, write=self._write, impl=one)
        return (Place(Space.IO, PORT, IoRegion("pit", 4, ops)),)

    @property
    def wires(self) -> Mapping[str, IrqLine]:
        """What switches the output, and the output."""
        return {"unnamed-gpio-in[0]": self.irq_enable, "unnamed-gpio-out[0]": self._irq}

    def reset(self) -> None:
        """Let every counter run in mode 3 from 65536; only counter 2 has its gate low.

        How a counter is accessed, and what is latched, outlive it, as in QEMU.
        """
        super().reset()
        now = self._clock.now_ns()
        for number, counter in enumerate(self.counters):
            counter.mode = 3
            counter.gate = number != 2
            counter.count = 0x10000
            counter.load_ns = now
        if self.state.irq_enabled:
            self._edges.start(self._next_edge(now))

    def save(self) -> PitState:
        """Return the counters, and when the next edge comes."""
        self.state.edge_ns = self._edges.pending
        return super().save()

    def load(self, state: PitState) -> None:
        """Go on from there."""
        super().load(state)
        self.irq_enable.level = self.state.irq_enabled
        self._edges.resume(self.state.edge_ns)

    def out(self, number: int) -> bool:
        """Return the level of the OUT pin of counter ``number`` (0-2)."""
        return self.state.counters[number].out(self._clock.now_ns())

    def set_gate(self, number: int, level: bool) -> None:
        """Drive the GATE pin of counter ``number`` (0-2); a rising edge restarts some modes."""
        counter = self.state.counters[number]
        if level and not counter.gate and counter.mode in (1, 2, 3, 5):
            self._begin(number)
        counter.gate = level

    def set_irq_enabled(self, enabled: bool) -> None:
        """Let counter 0 drive its interrupt line, or not.

        An HPET in legacy replacement mode takes the line over (IA-PC HPET specification, 2.3.4).
        """
        self.state.irq_enabled = enabled
        if enabled:
            self._update_irq(self._clock.now_ns())
        else:
            self._edges.stop()

    def _read(self, offset: int, size: int) -> int:
        offset &= 3
        if offset == 3:
            return 0
        return read_byte(self.state.counters[offset], self._clock)

    def _write(self, offset: int, value: int, size: int) -> None:
        value &= 0xFF
        offset &= 3
        if offset == 3:
            self._write_control(value)
            return
        counter = self.state.counters[offset]
        count = write_byte(counter, value)
        if count is not None:
            counter.count = count or 0x10000
            self._begin(offset)

    def _write_control(self, value: int) -> None:
        number = value >> 6
        if number == 3:
            for index, counter in enumerate(self.state.counters):
                if value & (2 << index):
                    read_back(counter, value, self._clock)
            return
        counter = self.state.counters[number]
        if value & 0x30:
            set_mode(counter, value)
        else:
            latch(counter, self._clock)

    def _begin(self, number: int) -> None:
        """Let counter ``number`` start from its reload value.

        The clock is looked at once: a count of a few ticks is over by the second look.
        """
        now = self._clock.now_ns()
        self.state.counters[number].load_ns = now
        if number == 0:
            self._update_irq(now)

    def _update_irq(self, now: int) -> None:
        """Set the interrupt line to counter 0's output, and wait for its next edge."""
        if self.state.irq_enabled:
            self._irq.set(self.state.counters[0].out(now))
            self._edges.start(self._next_edge(now))

    def _next_edge(self, after_ns: int) -> int | None:
        """Return when counter 0's output changes next after ``after_ns``; None if it will not."""
        return self.state.counters[0].next_edge(after_ns)

    def _on_edge(self, edge_ns: int) -> int | None:
        counter = self.state.counters[0]
        if counter.mode in (2, 4, 5):
            self._irq.set(False)
            self._irq.pulse()
        else:
            self._irq.set(counter.out(edge_ns))
        return self._next_edge(edge_ns)
