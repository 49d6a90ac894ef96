"""Tells of a CPU that stands still: an access that never ends looks like a machine that works.

On a processor, and in a kernel that runs guests, there are instructions that never come to an end,
and loops of one instruction that wait for what never comes. The CPU is looked at now and then,
where it is outside the guest; one that does not come out, though it is called, is told of, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.types import Register, SegmentRegister
from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.loop import RunLoop

_PERIOD_NS = 5_000_000_000
_NS = 1e-9


class Standstill(NamedTuple):
    """A CPU makes no progress.

    Attributes:
        time_ns: when, on the machine's clock.
        vcpu: which CPU.
        for_s: how long at least.
        where: CS and the instruction pointer; None of one that does not leave the guest.
    """

    time_ns: int
    vcpu: int
    for_s: float
    where: tuple[int, int] | None

    def __str__(self) -> str:
        if self.where is None:
            return (
                f"CPU {self.vcpu} does not leave the guest, {self.for_s:.0f} s after it was called"
            )
        cs, ip = self.where
        return (
            f"CPU {self.vcpu} stands still at {cs:04x}:{ip:08x}, with the same registers for"
            f" {self.for_s:.0f} s"
        )


class Watchdog:
    """Looks at the CPU of a loop; each standstill is told once.

    Args:
        loop: runs the CPU.
        tell: told in the thread that runs it, or in another one where that is inside the guest.
        period_ns: how long a CPU must have been as it is.
    """

    def __init__(
        self, loop: RunLoop, tell: Callable[[Standstill], None], period_ns: int = _PERIOD_NS
    ) -> None:
        self._loop = loop
        self._tell = tell
        self._period_ns = period_ns
        self._seen: tuple[int, ...] | None = None
        self._since_ns = 0
        self._told = False
        self._timer = loop.clock.timer(self._look)
        self._timer.arm(loop.clock.now_ns() + period_ns)
        loop.observe_deafness(self._deaf)

    def _look(self) -> None:
        """Compare what the CPU is with what it was the last time."""
        now = self._loop.clock.now_ns()
        seen = None if self._loop.halted else self._sample()
        if seen is None or seen != self._seen:
            self._seen, self._since_ns, self._told = seen, now, False
        elif not self._told:
            self._told = True
            where = seen[0], self._loop.vcpu.read_register(Register.EIP)
            number, since = self._loop.vcpu.number, (now - self._since_ns) * _NS
            self._tell(Standstill(now, number, since, where))
        self._timer.arm(now + self._period_ns)

    def _sample(self) -> tuple[int, ...]:
        vcpu = self._loop.vcpu
        code = vcpu.read_segment(SegmentRegister.CS).selector
        return code, *(vcpu.read_register(each) for each in Register)

    def _deaf(self, for_s: float) -> None:
        loop = self._loop
        self._tell(Standstill(loop.clock.now_ns(), loop.vcpu.number, for_s, None))
