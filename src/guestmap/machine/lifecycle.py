"""What happens to a machine, and what follows: it runs, pauses, is reset, sleeps, fails, ends.

Which state follows is :mod:`guestmap.machine.run_state`'s table; here is what comes with it: the
clock, the CPU, and the events that are told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from guestmap.accel import RunLoop
from guestmap.base import StateError
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.acpi.pm import WakeCause
from guestmap.machine.board import Board
from guestmap.machine.gate import Gate
from guestmap.machine.observed import Event, MachineReset
from guestmap.machine.phases import Phase, PhaseChange, PhaseTracker
from guestmap.machine.run_state import RunEvent, RunState, next_state

_HOST_RESET = "host-qmp-system-reset"
GUEST_RESET = "guest-reset"
"""QMP's ``ShutdownCause`` where the guest itself wants it."""


class ResetRequest(NamedTuple):
    """A reset that is to come: for people why, and QMP's ``ShutdownCause``."""

    reason: str
    cause: str


class Lifecycle:
    """The state of a PC and its CPU, and whatever changes it; from any thread.

    Attributes:
        board: the machine.
        loop: runs the CPU, or all of them.
        phases: what the firmware is doing.
        events: what it tells whoever manages it.
        error: what the CPU could not go on with, where ``state`` is ``INTERNAL_ERROR``.
        awaits_another: the machine is to become one that was saved, before it runs.
        stays_off: a guest that switches itself off does not end the machine: it waits for a reset.
    """

    def __init__(self, board: Board, loop: RunLoop, observer: Callable[[Event], None]) -> None:
        self.board = board
        self.loop = loop
        self.events = board.events
        self.phases = PhaseTracker(
            board.clock.now_ns, self._phase_changed, halts=board.config.board.firmware_halts
        )
        self.error = ""
        self.awaits_another = False
        self.stays_off = False
        self._observer = observer
        self._state = RunState.PRELAUNCH
        self._until: frozenset[Phase] | None = None
        self._reset_wanted: ResetRequest | None = None
        self._wakes_by: WakeCause | None = None
        self._halted_for_good = False
        self._changed = threading.Condition()
        self._gate = _gate(board, several=len(loop.loops) > 1)
        self._gate.ring = loop.attend
        for each in loop.loops:
            each.turn = self._gate.turn_of(each.vcpu.number)
        board.on_reset_request = self.request_reset
        board.on_power_off = self._powered_off
        board.on_suspend = self._suspended
        board.on_wake = self._wake_up

    @property
    def state(self) -> RunState:
        """What the machine is doing."""
        return self._state

    @property
    def status(self) -> str:
        """The same in QMP's word, which has one for a machine that waits for another."""
        return "inmigrate" if self.awaits_another else self._state.word

    def _take(self, event: RunEvent) -> bool:
        """Go where the table says; return whether that is another state."""
        before, self._state = self._state, next_state(self._state, event)
        return self._state is not before

    def exclusive(self) -> AbstractContextManager[None]:
        """Return a context in which the caller alone is at the machine; it may be nested.

        The CPU waits outside the guest meanwhile. A view of the memory needs none of this: it is
        published, and may be read at any time. For more than one view, or the tree, there is
        :meth:`guestmap.memory.MemorySystem.steady`.
        """
        return self._gate.exclusive()

    # -- what those who manage it ask for ----------------------------------------------------------

    def stop(self) -> None:
        """Pause the machine, if it runs: the CPU is outside the guest afterwards."""
        with self.exclusive():
            self._end(RunEvent.STOP)

    def cont(self) -> None:
        """Run, from the start or on; a machine that sleeps in RAM sleeps on.

        Raises:
            StateError: it must be reset first, waits for another one, or was told to quit.
        """
        with self.exclusive():
            if self.awaits_another:
                raise StateError("the machine waits for one that was saved (migrate-incoming)")
            if self._state is RunState.OFF:
                self._carry_out_reset()  # one that was asked for just now
            if next_state(self._state, RunEvent.CONT) is self._state:
                return
            if self.phases.phase is None:
                self.phases.reset("power on")
            if self._over:
                return  # the observer has seen enough
            self._take(RunEvent.CONT)
            self.board.clock.start()
            self._halted_for_good = False
            self._wake()  # before anybody is told, and may raise
            self.events.emit("RESUME")

    def request_reset(self, reason: str, *, cause: str = GUEST_RESET) -> None:
        """Reset the machine, soon. The first of several reasons is told.

        Args:
            reason: for people.
            cause: QMP's ``ShutdownCause``.
        """
        with self._changed:
            if self._reset_wanted is None:
                self._reset_wanted = ResetRequest(reason, cause)
            self._changed.notify_all()
        if self._runnable:
            self.loop.request_reset()

    def system_reset(self) -> None:
        """Reset the machine for the host, soon (QMP ``system_reset``)."""
        self.request_reset("the host asks", cause=_HOST_RESET)

    def wake_up(self) -> None:
        """Wake the machine, which sleeps in RAM (QMP ``system_wakeup``).

        Its devices are reset, its CPU starts at the reset vector soon, and the firmware finds out
        that it is to resume.

        Raises:
            StateError: it does not sleep, or cannot; QEMU's words.
        """
        with self.exclusive():
            if not self.board.can_wake:
                raise StateError("wake-up from suspend is not supported by this guest")
            if self._state is not RunState.SUSPENDED:
                raise StateError("Unable to wake up: guest is not in suspended state")
            self._wake_up(WakeCause.OTHER)

    def powerdown(self) -> None:
        """Press the power button: the guest may switch itself off (QMP ``system_powerdown``)."""
        with self.exclusive():
            self.events.emit("POWERDOWN")
            self.board.press_power_button()

    def quit(self, reason: str = "host-qmp-quit", *, guest: bool = False) -> None:
        """End the machine, soon: nothing makes it run again.

        Args:
            reason: QMP's ``ShutdownCause``.
            guest: whether the guest itself wanted it.
        """
        with self.exclusive():
            if not self._take(RunEvent.QUIT):
                return
            self.board.clock.stop()
            self.loop.stop()
            self._wake()
            self.events.emit("SHUTDOWN", {"guest": guest, "reason": reason})

    def stand(self) -> None:
        """Pause the machine, with nothing left to be done: it can be saved. In an ``exclusive``.

        Raises:
            StateError: it is at its end, or its CPU cannot go on.
        """
        self.stop()
        self._carry_out_reset()
        if self._state in {RunState.SHUTDOWN, RunState.OFF, RunState.INTERNAL_ERROR}:
            raise StateError(f"the machine is in state {self._state}: there is nothing to save")

    def loaded(self, state: RunState) -> None:
        """Note that the machine is now one that was saved, and paused. In an ``exclusive``.

        Args:
            state: what it was doing.
        """
        self.stop()
        with self._changed:
            self._reset_wanted = self._wakes_by = None
        self._halted_for_good = self.awaits_another = False
        self.loop.forget()
        self._take(RunEvent.LOAD)
        if state is RunState.SUSPENDED:
            self._take(RunEvent.SUSPEND)
        self._sleep(state is RunState.SUSPENDED)

    def spoiled(self, why: str) -> None:
        """Note that loading a machine has failed half-way: only a reset can follow."""
        self.error = why
        self._end(RunEvent.ERROR)

    # -- what the guest and its CPU do -------------------------------------------------------------

    def _powered_off(self) -> None:
        if not self.stays_off:
            self.quit("guest-shutdown", guest=True)
            return
        with self.exclusive():
            self.events.emit("SHUTDOWN", {"guest": True, "reason": "guest-shutdown"})
            self._end(RunEvent.POWER_OFF)

    def _suspended(self) -> None:
        if self._take(RunEvent.SUSPEND):  # nobody has paused it: its time goes on
            self._sleep(True)
            self.loop.stop()
            self.events.emit("SUSPEND")

    def _sleep(self, asleep: bool) -> None:
        for each in self.loop.loops:
            each.asleep = asleep

    def _wake_up(self, cause: WakeCause) -> None:
        """Wake the machine, if it sleeps and the guest lets that wake it."""
        if self._state is not RunState.SUSPENDED or not self.board.wakes_by(cause):
            return
        with self._changed:
            self._wakes_by = cause
            self._take(RunEvent.WAKE)
            self._changed.notify_all()
        self.board.clock.start()
        self.loop.request_reset()

    def _carry_out_wake_up(self) -> None:
        """Begin at the reset vector: the firmware finds that the guest's memory was kept."""
        with self._changed:
            cause, self._wakes_by = self._wakes_by, None
        if cause is None or self._reset_wanted is not None:  # a reset is more
            return
        self._observer(MachineReset(self.board.clock.now_ns(), "wake-up"))
        self.board.wake_up(cause)
        self.loop.reset()
        self.phases.reset("wake-up")
        self.events.emit("WAKEUP")

    def _end(self, event: RunEvent) -> None:
        """End a run, if there is one."""
        ran = self._state is RunState.RUNNING
        if self._take(event) and ran:
            self.board.clock.stop()
            self.loop.stop()
            self.events.emit("STOP")

    def _carry_out_reset(self) -> None:
        with self.exclusive():
            self._carry_out_wake_up()
            if self._reset_wanted is not None and self._state is not RunState.SHUTDOWN:
                self._reset()

    def _reset(self) -> None:
        with self._changed:
            request, self._reset_wanted = self._reset_wanted, None
        if request is None:
            return
        before = self._state
        self._observer(MachineReset(self.board.clock.now_ns(), request.reason))
        if self._state is not before:
            return  # the observer has seen enough
        self.board.system_reset()
        self.loop.reset()
        self._halted_for_good = False
        self._take(RunEvent.RESET)
        self.phases.reset(request.reason)
        guest = request.cause == GUEST_RESET
        self.events.emit("RESET", {"guest": guest, "reason": request.cause})

    def _phase_changed(self, change: PhaseChange) -> None:
        self._observer(change)
        if self._is_last(change.phase):
            self.stop()

    def _is_last(self, phase: Phase | None) -> bool:
        """Tell whether a run ends as a phase begins."""
        return self._until is not None and phase in self._until

    # -- whether there is something to run ---------------------------------------------------------

    @property
    def _runnable(self) -> bool:
        """Whether the loop has something to do: a machine that sleeps may be woken by its clock."""
        if self._state is RunState.SUSPENDED:
            return True
        return self._state is RunState.RUNNING and not self._halted_for_good

    @property
    def _has_reset_to_do(self) -> bool:
        """Whether a reset, or a wake-up, was asked for that is not carried out yet."""
        return self._reset_wanted is not None or self._wakes_by is not None

    @property
    def _over(self) -> bool:
        return self._state is RunState.SHUTDOWN

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


def _gate(board: Board, *, several: bool) -> Gate:
    """Return what lets one thread at a time be at the machine, whose CPUs may be several."""
    if not several:
        return Gate()
    from guestmap.machine.shared_gate import SharedGate

    return SharedGate(board.executes)
