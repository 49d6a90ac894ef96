"""How a machine's CPUs are started: RESET#, then INIT and STARTUP messages from another one.

After Intel SDM, volume 3, sections 8.4 ("Multiple-Processor Initialization") and 9.1.4 ("INIT").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.types import SegmentRegister

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.vcpu import Vcpu

_CS = [*SegmentRegister].index(SegmentRegister.CS)
_EFER = 0xC000_0080
_KEPT_CR0 = 1 << 29 | 1 << 30
"""NW and CD: an INIT leaves the caches as they are."""


class StartUp:
    """What one CPU was told of INIT and STARTUP, and whether it waits to be started.

    The messages may come from any thread that has the turn; the CPU's own carries them out.

    Args:
        vcpu: the CPU, in its state after RESET#.
        ring: has the CPU leave the guest, or wake, to carry them out.

    Attributes:
        waits: whether it waits for a STARTUP message, and for nothing else.
    """

    def __init__(self, vcpu: Vcpu, ring: Callable[[], None]) -> None:
        self._vcpu = vcpu
        self._ring = ring
        self._is_first = vcpu.number == 0
        self._after_reset = vcpu.save()
        self._init_wanted = False
        self._vector: int | None = None
        self.waits = not self._is_first

    def reset(self) -> None:
        """All but the first wait after RESET#; what was told is forgotten."""
        self._init_wanted, self._vector = False, None
        self.waits = not self._is_first

    def init(self) -> None:
        """Take an INIT message; a STARTUP that came before it is void."""
        self._init_wanted, self._vector = True, None
        self._ring()

    def startup(self, vector: int) -> None:
        """Take a STARTUP message: code begins at page ``vector``; who does not wait ignores it."""
        if self._init_wanted or self.waits:
            self._vector = vector
            self._ring()

    def carry_out(self) -> None:
        """Do what was asked for; the CPU is outside the guest.

        Raises:
            HostError: the host refuses.
        """
        if self._init_wanted:
            self._init_wanted = False
            self._init()
        vector, self._vector = self._vector, None
        if vector is not None and self.waits:
            self._start(vector)

    def _init(self) -> None:
        """Make it what it is after RESET#, but for caches, model specific registers and SSE."""
        new, reset = self._vcpu.save(), self._after_reset
        assert new is not None
        assert reset is not None
        caches = new.control[0] & _KEPT_CR0
        new.general, new.rip, new.rflags = [*reset.general], reset.rip, reset.rflags
        new.segments, new.debug = [*reset.segments], {**reset.debug}
        new.control = {**reset.control}
        new.control[0] = new.control[0] & ~_KEPT_CR0 | caches
        new.msrs = {**new.msrs, _EFER: 0}
        new.halted = new.shadow = new.smm = new.smi = False
        new.accepted = None
        self._vcpu.load(new)
        self.waits = not self._is_first

    def _start(self, vector: int) -> None:
        state = self._vcpu.save()
        assert state is not None
        _, _, limit, flags = state.segments[_CS]
        state.segments[_CS] = (vector << 8, vector << 12, limit, flags)
        state.rip, state.halted = 0, False
        self._vcpu.load(state)
        self.waits = False
