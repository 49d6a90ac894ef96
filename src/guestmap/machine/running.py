"""Running a machine: by whoever calls :meth:`Running.run`, or in a thread of its own."""

from __future__ import annotations

from collections.abc import Callable

from guestmap.accel import Exit, ExitReason, RunLoop
from guestmap.base import StateError
from guestmap.machine.board import Board
from guestmap.machine.lifecycle import GUEST_RESET, Lifecycle, ResetRequest
from guestmap.machine.observed import Event
from guestmap.machine.phases import Phase
from guestmap.machine.run_state import RunEvent, RunState
from guestmap.machine.runner import Runner


class Running(Lifecycle):
    """A machine whose CPU is run, until it is told to stand or comes to its end."""

    def __init__(self, board: Board, loop: RunLoop, observer: Callable[[Event], None]) -> None:
        super().__init__(board, loop, observer)
        self._runner = Runner()

    def run(self, *, until: Phase | frozenset[Phase] | None = None) -> RunState:
        """Run until the firmware reaches a phase, the machine ends, or :meth:`stop`.

        A reset is carried out and the machine runs on.

        Args:
            until: the phase, or phases, to stop at as one begins; None never stops for any.

        Raises:
            StateError: it runs already.
            Exception: whatever a device or an observer raised.
        """
        self._refuse_in_turn("run")
        with self._runner.lent():
            try:
                self._until = frozenset((until,)) if isinstance(until, Phase) else until
                self._carry_out_reset()
                is_first = self.phases.phase is None
                self.cont()
                if is_first and self._is_last(self.phases.phase):
                    self.stop()  # at the reset vector; cont() was not yet running as it got there
                while self._goes_on():
                    self._run_once()
                    if self._halted_for_good:
                        self.stop()
                return self.state
            finally:
                self._until = None
                self.stop()  # interrupted: nobody runs it any more

    def _goes_on(self) -> bool:
        """Whether a run is not over: what sleeps goes on where an alarm will wake it."""
        if self.state is RunState.SUSPENDED:
            return self.board.wakes_itself
        return self.state is RunState.RUNNING

    def _refuse_in_turn(self, what: str) -> None:
        if self._gate.held:
            raise StateError(
                f"{what} cannot be called where the machine is the caller's alone (exclusive(), or"
                " the machine's own callbacks): it waits for the CPU"
            )

    def start(self, *, paused: bool = False) -> None:
        """Run the machine in a thread of its own, until :meth:`quit` or the guest's own end.

        Args:
            paused: wait for :meth:`cont` before the first instruction.

        Raises:
            StateError: it was started before, is closed, or must be reset first.
        """
        self._refuse_in_turn("start")
        self._runner.start(self._serve)
        if not paused:
            self.cont()

    @property
    def thread_id(self) -> int | None:
        """The host's number of the thread that runs a started machine; None before."""
        return self._runner.thread_id

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until a started machine has ended; False where that takes longer.

        Raises:
            StateError: the caller has the machine to itself.
            Exception: whatever a device or an observer raised.
        """
        self._refuse_in_turn("wait()")
        return self._runner.wait(timeout_s)

    def _serve(self) -> None:
        try:
            while self._has_work():
                self._run_once()
        except BaseException:
            with self.exclusive():
                self._end(RunEvent.ERROR)
            raise

    def _run_once(self) -> None:
        self._carry_out_reset()
        if self._runnable:
            self._after(self.loop.run())

    def _has_work(self) -> bool:
        """Wait until there is something to run or to reset; False at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._over or self._has_reset_to_do or self._runnable)
        return not self._over

    def _after(self, end: Exit) -> None:
        with self.exclusive():
            if end.reason is ExitReason.SHUTDOWN and self._reset_wanted is None:
                # Code that asks for a reset often goes on to fault: that is the same reset.
                self._reset_wanted = ResetRequest("triple fault", GUEST_RESET)
            if self._reset_wanted is not None and self._state is RunState.RUNNING:
                self._reset()
            elif end.reason is ExitReason.HALTED:
                self.phases.halted(for_good=True)
                self._halted_for_good = True
            elif end.reason is ExitReason.DEBUG:
                self._end(RunEvent.STOP)
            elif end.reason is ExitReason.ERROR:
                self.error = end.message
                self._end(RunEvent.ERROR)
