"""What ``guestmap boot`` tells while it happens: all of it, or as little as was asked for."""

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


def teller(*, quiet: bool, asked: bool, stderr: bool, verbose: bool) -> Silence:
    """Return what tells the story; what it needs is imported only where it tells anything.

    Args:
        quiet: leave the story out.
        asked: tell accesses, registers and the firmware's flow, which were asked for by name, even
            so.
        stderr: where to: stdout has been asked for something else.
        verbose: tell how the engine works, too.
    """
    if quiet and not asked:
        return Silence()
    from guestmap.cli.boot_aloud import Aloud, AskedFor

    return (AskedFor if quiet else Aloud)(stderr=stderr, verbose=verbose)
