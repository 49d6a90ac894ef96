"""The run loop: enter a vCPU, answer why it came back, wait where the guest waits.

All device callbacks, timers included, are made in the thread that runs the loop, one at a time.
:meth:`RunLoop.stop`, :meth:`RunLoop.request_reset`, :meth:`RunLoop.interrupts_changed` and
:meth:`RunLoop.attend` may be called from any thread at any moment.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from guestmap.accel.doorbell import Doorbell
from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.turn import Alone, Turn
from guestmap.accel.vcpu import Activity
from guestmap.base import HostError
from guestmap.base.interrupt import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.startup import StartUp
    from guestmap.accel.vcpu import Vcpu
    from guestmap.accel.vcpu_state import VcpuState
    from guestmap.base import Clock

_START_S = 1.0
"""How long a thread may take to begin; one that has begun is waited for without end."""


class RunLoop:
    """Runs one vCPU.

    Args:
        vcpu: the CPU; nobody else runs it.
        clock: whose timers are fired meanwhile.

    Attributes:
        turn: who else may be at the machine; replace it before the first run.
        halted: whether the CPU has come out last because it waits for an interrupt.
        rests: whether nothing but another CPU's message makes it go on.
        asleep: whether the machine sleeps: until a reset the CPU executes nothing, while its clock
            goes on.
        start_up: what it was told by INIT and STARTUP; None for a CPU that is alone.
        may_wake: whether somebody may yet wake it where it rests.
        on_rest: called as it begins to rest, by the thread that runs it.
    """

    def __init__(self, vcpu: Vcpu, clock: Clock) -> None:
        self.vcpu = vcpu
        self.clock = clock
        self.turn: Turn = Alone()
        self.halted = self.rests = self.asleep = False
        self.start_up: StartUp | None = None
        self.may_wake: Callable[[], bool] = lambda: False
        self.on_rest: Callable[[], None] = lambda: None
        self._doorbell = Doorbell(clock, vcpu.kick)
        vcpu.notify = self._doorbell.ring
        self._on_halt: list[Callable[[], None]] = []
        self._stop_wanted = False
        self._ended: Exit | None = None

    def stop(self) -> None:
        """End the run with STOPPED, soon; where nothing runs, the next run."""
        self._stop_wanted = True
        self._doorbell.ring()

    def request_reset(self) -> None:
        """End the run with RESET, soon."""
        self._end(Exit(ExitReason.RESET))
        self._doorbell.ring()

    def interrupts_changed(self) -> None:
        """Say that the interrupt source's ``pending`` changed."""
        if not self.vcpu.knows_interrupts():
            self._doorbell.ring()

    def attend(self) -> None:
        """Have the CPU leave the guest and give way (:class:`Turn`), soon."""
        self.wake()

    def wake(self) -> None:
        """Have this CPU leave the guest, or wake, and look at what there is to do."""
        self._doorbell.ring()

    def init(self) -> None:
        """Give the CPU an INIT message; one that is alone takes none."""
        if self.start_up is not None:
            self.start_up.init()

    def startup(self, vector: int) -> None:
        """Give the CPU a STARTUP message: its code begins at page ``vector``."""
        if self.start_up is not None:
            self.start_up.startup(vector)

    def save(self) -> VcpuState | None:
        """Return all that the CPU knows; see :meth:`Vcpu.save`."""
        if self.start_up is not None:
            self.start_up.carry_out()
        state = self.vcpu.save()
        if state is not None and self.start_up is not None:
            state.waits_for_startup = self.start_up.waits
        return state

    def load(self, state: VcpuState) -> None:
        """Have the CPU go on from what was saved; see :meth:`Vcpu.load`."""
        self.vcpu.load(state)
        if self.start_up is not None:
            self.start_up.waits = state.waits_for_startup

    @property
    def loops(self) -> tuple[RunLoop, ...]:
        """One for each CPU that is run."""
        return (self,)

    def observe_halts(self, observer: Callable[[], None]) -> None:
        """Call ``observer`` after each HLT, before the CPU waits, in the thread that runs it."""
        self._on_halt.append(observer)

    def observe_deafness(self, observer: Callable[[float], None]) -> None:
        """Call ``observer``, from any thread, with the seconds for which the CPU has not left."""
        self._doorbell.on_deaf = observer

    def reset(self) -> None:
        """Put the CPU into its state after RESET#, and forget how the last run was to end.

        Raises:
            StateError: it is in the guest.
        """
        self.vcpu.reset()
        if self.start_up is not None:
            self.start_up.reset()
        self.asleep = False
        self.forget()

    def forget(self) -> None:
        """Forget how the last run was to end: the CPU is another one now."""
        self._ended = None

    def forget_stop(self) -> None:
        """Forget a stop that came when nothing ran."""
        self._stop_wanted = False

    def run(self) -> Exit:
        """Run the CPU until something ends the run; call again to go on.

        From the main thread it is run in another one, so that signals get through.

        Raises:
            StateError: it runs already, or is closed.
            Exception: whatever a device callback raised.
        """
        if threading.current_thread() is not threading.main_thread():
            return self._run()
        outcome: list[Exit | BaseException] = []
        done = threading.Event()  # Thread.join() is no good: interrupted, it forgets the thread

        def work() -> None:
            try:
                outcome.append(self._run())
            except BaseException as error:  # noqa: BLE001 - handed on to the caller of run()
                outcome.append(error)
            finally:
                done.set()

        thread = threading.Thread(target=work, name="guestmap-cpu")
        try:
            thread.start()
            wait_for(done.wait)
        except BaseException:  # Ctrl-C, perhaps before the thread was there at all
            self.stop()
            if not done.wait(_START_S) and thread.ident is not None:
                done.wait()
            raise
        result = outcome[0]
        if isinstance(result, BaseException):
            raise result
        return result

    def _run(self) -> Exit:
        with self.vcpu.held():
            self.vcpu.turn = self.turn
            self._doorbell.open()
            try:
                with self.turn:
                    return self._loop()
            finally:
                self._doorbell.shut()

    def _loop(self) -> Exit:
        doorbell = self._doorbell
        while True:
            doorbell.answer()
            self.turn.give_way()
            self.clock.run_due()
            if (end := self._take_end()) is not None:
                return end
            try:
                activity = self._prepare()
            except HostError as error:  # too late to refuse what was committed
                return Exit(ExitReason.ERROR, str(error))
            self._rest(activity is Activity.HALTED_FOR_GOOD)
            if self.rests and not self.may_wake():
                return Exit(ExitReason.HALTED, "HLT with interrupts off")
            if self.rests or activity is Activity.HALTED:
                with self.turn.away():
                    doorbell.sleep()
            elif doorbell.enter(again=activity is Activity.RETRYING):
                self._enter()

    def _prepare(self) -> Activity:
        """Return what the CPU is going to do; one that waits to be started, waits."""
        if self.asleep:
            return Activity.HALTED
        if self.start_up is not None:
            self.start_up.carry_out()
            if self.start_up.waits:
                self.halted = True
                return Activity.HALTED_FOR_GOOD
        return self.vcpu.prepare()

    def _rest(self, wanted: bool) -> None:
        began = wanted and not self.rests
        self.rests = wanted
        if began:
            self.on_rest()

    def _enter(self) -> None:
        """Let the guest execute until something comes up."""
        try:
            left = self.vcpu.run()
        finally:
            self._doorbell.left()
        self.halted = left.reason is ExitReason.HALTED
        if self.halted:
            if self._ended is None:
                for observer in self._on_halt:
                    observer()
        elif left.reason is not ExitReason.KICKED:
            self._end(left)

    def _end(self, end: Exit) -> None:
        """End the run, unless something else has ended it already."""
        if self._ended is None:
            self._ended = end

    def _take_end(self) -> Exit | None:
        """Return why the run ends, if it does; a stop that comes second ends the next run."""
        if self._ended is not None:
            end, self._ended = self._ended, None
            return end
        if self._stop_wanted:
            self._stop_wanted = False
            return Exit(ExitReason.STOPPED)
        return None
