"""Several CPUs that are run as if they were one: the first by who calls, each other by a thread."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from guestmap.accel.exits import ExitReason
from guestmap.accel.loop import RunLoop
from guestmap.accel.startup import StartUp
from guestmap.base import HostClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel.exits import Exit
    from guestmap.accel.vcpu import Vcpu
    from guestmap.base import Clock


class SeveralLoops(RunLoop):
    """Runs all vCPUs of a machine; whatever ends the run of one ends that of all.

    The first CPU executes after a reset, the others wait until they are started. Where a CPU waits
    for good, it is for another one to wake it: the run ends when all do.

    Args:
        vcpus: the CPUs, two or more; nobody else runs them.
        clock: whose timers are fired meanwhile, by the first CPU's thread.

    Attributes:
        others: the loops of all but the first.
    """

    def __init__(self, vcpus: Sequence[Vcpu], clock: Clock) -> None:
        super().__init__(vcpus[0], clock)
        self.others = tuple(RunLoop(each, HostClock()) for each in vcpus[1:])
        self._failures: list[BaseException] = []
        self.may_wake = lambda: not all(each.rests for each in self.others)
        for each in self.loops:
            if not each.vcpu.starts_itself:
                each.start_up = StartUp(each.vcpu, each.wake)
        for each in self.others:
            each.may_wake = lambda: True
            each.on_rest = self.wake  # it may be the last for which the first has waited

    @property
    def loops(self) -> tuple[RunLoop, ...]:
        """One for each CPU, this the first."""
        return (self, *self.others)

    def stop(self) -> None:
        """End the runs with STOPPED, soon."""
        for each in self.others:
            each.stop()
        super().stop()

    def attend(self) -> None:
        """Have all CPUs leave the guest and give way, soon."""
        for each in self.loops:
            each.wake()

    def reset(self) -> None:
        """Put all into their state after RESET#.

        Raises:
            StateError: one runs.
        """
        for each in self.others:
            each.reset()
        super().reset()

    def forget(self) -> None:
        """Forget how the last runs were to end."""
        for each in self.others:
            each.forget()
        super().forget()

    def _run(self) -> Exit:
        threads = [
            threading.Thread(
                target=self._run_other, args=(each,), name=f"guestmap-cpu-{each.vcpu.number}"
            )
            for each in self.others
        ]
        for thread in threads:
            thread.start()
        try:
            end = super()._run()
        finally:
            for each in self.others:
                each.stop()
            for thread in threads:
                thread.join()
            for each in self.others:
                each.forget_stop()
            failures, self._failures = self._failures, []
        if failures:
            raise failures[0]
        return end

    def _run_other(self, loop: RunLoop) -> None:
        try:
            end = loop.run()
        except BaseException as error:  # noqa: BLE001 - raised by the first CPU's thread
            self._failures.append(error)
            super().stop()
            return
        if end.reason is not ExitReason.STOPPED:
            self._end(end)
            self.wake()
