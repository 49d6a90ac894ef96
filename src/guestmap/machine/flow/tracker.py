"""Makes the firmware's flow of what a CPU is like from one piece of code to the next."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from guestmap.accel.following import CpuLook
from guestmap.machine.flow.records import (
    Decided,
    Decision,
    FirmwareEntry,
    FlowEvent,
    InterruptsOpen,
    ModeChange,
    StackHop,
    StackKind,
)
from guestmap.machine.flow.stacks import Stacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel import SoftwareInterrupt

_VECTORS = (0xFFFFFFF0, 0xFFFF0)
"""Where the CPU begins after RESET#, and where software jumps to for the same."""
_FIRMWARE = 0xA0000
"""Below this is no code of a firmware's but its system management handler."""
_BOOT = frozenset({0x18, 0x19})
_ENTRY_FRAME = 64
"""Bytes: a firmware that hops to a stack of its own takes no more of its caller's before."""
_KEPT = 20_000


class FlowTracker:
    """A :class:`guestmap.accel.following.CpuFollower`.

    Args:
        now_ns: the machine's time.
        place: tells where in the map an address is.
        why: tells why the CPU is at the reset vector.
        pointer: tells where the stack ends just now.
        hear: hears of each event as it happens, until the firmware boots.

    Attributes:
        entries: entries by the reset vector.
        modes: how often the mode has changed, by the modes before and after.
        stacks: the stacks.
        smis: system management interrupts.
        windows: how often hardware interrupts were opened.
        came: vectors of hardware interrupts, and how often each came in.
        calls: vectors of INT n, and how often each was called.
        events: the newest events.
        booted: whether the firmware has begun to boot since the last entry.
    """

    places = (*((each, each) for each in _VECTORS), (0, _FIRMWARE - 1))

    def __init__(
        self,
        now_ns: Callable[[], int],
        place: Callable[[int], str],
        why: Callable[[], str],
        pointer: Callable[[], int],
        hear: Callable[[FlowEvent], None] = lambda _event: None,
    ) -> None:
        self._now_ns, self._why, self._pointer, self._hear = now_ns, why, pointer, hear
        self.entries: deque[FirmwareEntry] = deque(maxlen=_KEPT)
        self.modes: Counter[tuple[str, str]] = Counter()
        self.stacks = Stacks(place)
        self.smis = self.windows = 0
        self.came: Counter[int] = Counter()
        self.calls: Counter[int] = Counter()
        self.events: deque[FlowEvent] = deque(maxlen=_KEPT)
        self.booted = False
        self._mode = ""
        self._in_smm = False
        self._caller = "", 0  # who enters the firmware, and where the stack pointer was
        self._is_first = True  # no stack was chosen since the last entry
        self._opened: tuple[int, int] | None = None  # the time, and the address of the code
        self._came: list[int] = []
        self._served = False  # an interrupt came in, and its handler has the flag off

    # -- what the CPU shows ------------------------------------------------------------------------

    def looked(self, look: CpuLook) -> None:
        """Hear of another mode, another stack, or another interrupt flag."""
        self.stacks.moved(look.low, look.high)
        if look.in_smm and not self._in_smm:
            self.smis += 1
        self._in_smm = look.in_smm
        self._mode_is(look)
        self._stack_is(look)
        self._flag_is(look)

    def reached(self, address: int, *, in_smm: bool) -> None:
        """Hear that code begins at the reset vector, or where no firmware is."""
        if address in _VECTORS:
            self._enter()
        elif not in_smm and not self.booted:
            self._decide(Decision.RESUME)

    def interrupted(self, vector: int) -> None:
        """Hear of a hardware interrupt that is taken."""
        self.came[vector] += 1
        self._came.append(vector)
        self._served = True
        self._caller = f"interrupt {vector:02X}h", self._pointer()

    def called(self, interrupt: SoftwareInterrupt) -> None:
        """Hear of an INT n."""
        self.calls[interrupt.vector] += 1
        self._caller = f"INT {interrupt.vector:02X}h", self._pointer()
        if interrupt.vector in _BOOT:
            self._decide(Decision.START)

    # -- entries -----------------------------------------------------------------------------------

    def _enter(self) -> None:
        self._decide(Decision.REBOOT)
        self.booted = False
        self.stacks.leave(0, self._now_ns())
        self._is_first = True
        self._close()
        entry = FirmwareEntry(self._now_ns(), self._why())
        self.entries.append(entry)
        self._tell(entry)

    def _decide(self, decision: Decision) -> None:
        self.booted = True
        if self.entries and self.entries[-1].decision is Decision.OPEN:
            self.entries[-1].decision = decision
            self._tell(Decided(self._now_ns(), self.entries[-1]))

    # -- modes, stacks, windows --------------------------------------------------------------------

    def _mode_is(self, look: CpuLook) -> None:
        mode = f"{'SMM ' * look.in_smm}{look.bits}-bit{' big' * look.is_big}"
        if mode != self._mode and self._mode:
            self.modes[self._mode, mode] += 1
            self._tell(ModeChange(self._now_ns(), self._mode, mode))
        self._mode = mode

    def _stack_is(self, look: CpuLook) -> None:
        present = self.stacks.current
        if present is None and not look.stack:
            return  # after a reset: nobody has chosen one
        if present is not None and self.stacks.stays(look.before, look.stack):
            self.stacks.moved(look.stack, look.stack)
            return
        now, cause = self._now_ns(), self._cause(look)
        ends = self.stacks.leave(look.before, now)
        begins = self.stacks.enter(look.stack, self._kind(look, cause), cause, now)
        after = self.stacks.current
        if begins is None or after is None:
            return  # an operating system's, which are too many
        self._is_first = False
        self._tell(StackHop(now, present, after, cause, begins, ends))

    def _cause(self, look: CpuLook) -> str:
        """Return what makes a hop, where that is an interrupt: it has come just before."""
        if look.in_smm:
            return "SMI"
        cause, pointer = self._caller
        self._caller = "", 0
        return cause if 0 <= pointer - look.before <= _ENTRY_FRAME else ""

    def _kind(self, look: CpuLook, cause: str) -> StackKind:
        if look.in_smm:
            return StackKind.SMM
        if cause:
            return StackKind.EXTRA
        if self._is_first:
            return StackKind.MAIN
        return StackKind.THREAD if look.bits == 32 and not self.booted else StackKind.OTHER

    def _flag_is(self, look: CpuLook) -> None:
        if look.takes_interrupts:
            self._served = False
            if self._opened is None:
                self.windows += 1
                self._opened = self._now_ns(), look.address
        elif self._opened is not None and not self._served:
            self._close()

    def _close(self) -> None:
        """Close the window for interrupts, if one is open."""
        if self._opened is not None:
            (time_ns, address), self._opened = self._opened, None
            self._tell(InterruptsOpen(time_ns, self._now_ns(), address, tuple(self._came)))
        self._came.clear()
        self._served = False

    def _tell(self, event: FlowEvent) -> None:
        self.events.append(event)
        if not self.booted or isinstance(event, FirmwareEntry | Decided):
            self._hear(event)
