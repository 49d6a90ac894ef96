"""Moments of a boot: a phase as it begins, or a time by the machine's clock."""

from __future__ import annotations

from typing import NamedTuple, Self

from guestmap.base import ConfigError, PeerError, UnsupportedError, parse_duration
from guestmap.machine.phases import Phase
from guestmap.machine.run_state import RunState
from guestmap.machine.vm import VirtualMachine


class Moment(NamedTuple):
    """Where a boot is stopped to be looked at; one of the two is None.

    Attributes:
        phase: as it begins.
        time_ns: of the machine's clock. A machine that has nothing more to do by then is looked at
            as it is: its map stays so.
    """

    phase: Phase | None = None
    time_ns: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``setup``, ``SETUP`` or ``61ms``.

        Raises:
            ConfigError: it is neither.
        """
        if text.lower() in {str(phase) for phase in Phase}:
            return cls(phase=Phase(text.lower()))
        try:
            return cls(time_ns=parse_duration(text))
        except ConfigError as error:
            raise ConfigError(
                f"{text!r} is no moment of a boot: give a phase ({', '.join(Phase)}), or a time"
                " as 61ms"
            ) from error

    def __str__(self) -> str:
        if self.time_ns is None:
            return str(self.phase)
        return f"{self.time_ns / 1e6:g} ms"

    def reach(self, vm: VirtualMachine) -> None:
        """Run a new machine until then; it is paused afterwards.

        Raises:
            PeerError: the firmware does not enter the phase.
            UnsupportedError: the CPU cannot go on.
        """
        if self.time_ns is not None:
            vm.board.clock.timer(vm.stop).arm(self.time_ns)
        vm.run(until=frozenset((self.phase or Phase.HALT, Phase.HALT)))
        if vm.state is RunState.INTERNAL_ERROR:
            raise UnsupportedError(f"the CPU cannot go on: {vm.error}")
        if self.phase not in {None, vm.phases.phase}:
            raise PeerError(f"the firmware does not enter the phase {str(self.phase)!r}")


END = Moment(phase=Phase.HALT)
"""When firmware has found nothing to start."""
