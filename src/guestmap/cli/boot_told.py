"""What ``guestmap boot`` can tell while it happens; :mod:`guestmap.cli.boot_aloud` tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.machine import Event, VirtualMachine


class Silence:
    """Tells nothing."""

    def begin(self, vm: VirtualMachine) -> None:
        """Hear that a machine was made."""

    def tell(self, event: Event) -> None:
        """Hear of an event."""

    def say(self, line: str) -> None:
        """Hear of anything else."""

    def stopped(self, vm: VirtualMachine) -> None:
        """Hear that the machine stands where it was to be stopped."""

    def end(self, vm: VirtualMachine) -> None:
        """Hear that the run is over."""
