"""Our human monitor beside QEMU's: the same line to the same machine in both."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from guestmap.base import ManualClock
from guestmap.machine import VirtualMachine, config_of
from guestmap.monitor.hmp import HumanMonitor
from tests.support.qemu import MACHINE, Qemu

if TYPE_CHECKING:
    from types import TracebackType


class Answers(NamedTuple):
    """What both said."""

    ours: str
    qemu: str


class Beside:
    """A machine of ours, and one of QEMU's of the same command line; both at reset."""

    def __init__(self, *args: str) -> None:
        self.qemu = Qemu(*args)
        self._args = args

    def __enter__(self) -> Self:
        config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *self._args])
        self.vm = VirtualMachine(config, clock=ManualClock())
        self.monitor = HumanMonitor(self.vm)
        self.qemu.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.qemu.close()
        self.vm.close()

    def ask(self, line: str) -> Answers:
        """Send a line to both."""
        text = self.qemu.qmp("human-monitor-command", command_line=line)
        return Answers(self.ours(line), text)

    def ours(self, line: str) -> str:
        """Send a line to ours."""
        with self.vm.exclusive():
            return self.monitor.execute(line)

    def check(self, *lines: str) -> None:
        """Send lines to both, one after another; the answers must be the same."""
        for line in lines:
            answers = self.ask(line)
            assert answers.ours == answers.qemu, line
