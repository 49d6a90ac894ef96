"""The way from a command of QMP to the human monitor, whose commands ask those of QMP in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine
    from guestmap.monitor.hmp import HumanMonitor


class HumanLines:
    """Carries out lines of the human monitor: one for all, as what it remembers is the machine's.

    Few clients ever send one: it is loaded with the first.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._monitor: HumanMonitor | None = None

    def __call__(self, line: str) -> str:
        """Return what a line prints; where the machine stands still. Raises nothing."""
        if self._monitor is None:
            from guestmap.monitor.hmp import HumanMonitor

            self._monitor = HumanMonitor(self._vm)
        return self._monitor.execute(line)
