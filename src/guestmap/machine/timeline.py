"""The maps of one run of a machine, so that it answers for any of its moments.

Each commit that changes the map adds one: a snapshot, when it came to be, and why. Snapshots share
what is the same in them, and there are no more than a bound says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from guestmap.base import PeerError, UnsupportedError
from guestmap.inspect import Snapshot
from guestmap.inspect.map.sharing import Sharing
from guestmap.machine.phases import Phase, PhaseChange
from guestmap.machine.run_state import RunState
from guestmap.machine.vm import VirtualMachine
from guestmap.memory.map import CommitRecord

if TYPE_CHECKING:
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.moments import Moment
    from guestmap.machine.observed import Event
    from guestmap.memory import MemorySystem

MOST_MAPS = 1000
"""A boot of SeaBIOS has a dozen, an operating system's with its drivers some hundred."""


class TimelineEntry(NamedTuple):
    """A map, when it came to be by the machine's clock, and what made it so."""

    time_ns: int
    cause: str
    snapshot: Snapshot


class Timeline:
    """The maps of one machine, the oldest first.

    Args:
        memory: the machine's memory system, as it is before the first instruction.
        begins: when that is, by the machine's clock, and what the first map is called.
        most: maps that are kept; of a longer run, the first ones.

    Attributes:
        entries: the maps.
        phases: the firmware's phases that began, each with the place of the map then.
        dropped: maps that found no room.
        problem: why the CPU could not go on; "" where it could.
    """

    def __init__(
        self,
        memory: MemorySystem,
        *,
        begins: tuple[int, str] = (0, "at reset"),
        most: int = MOST_MAPS,
    ) -> None:
        self._memory = memory
        self._most = most
        self._sharing = Sharing()
        self.entries: list[TimelineEntry] = []
        self.phases: dict[Phase, int] = {}
        self.dropped = 0
        self.problem = ""
        self._add(*begins)

    @classmethod
    def of_boot(cls, config: MachineConfig, *, until: Phase = Phase.HALT) -> Self:
        """Boot a machine, and return its maps up to a phase, or to where it gets no further.

        Raises:
            ConfigError, HostError, UnsupportedError: there can be no such machine.
        """

        def observe(event: Event) -> None:
            found.hear(event)

        with VirtualMachine(config, observer=observe) as vm:
            found = cls(vm.board.system)
            vm.run(until=frozenset((until, Phase.HALT)))
            if vm.state is RunState.INTERNAL_ERROR:
                found.problem = f"the CPU cannot go on: {vm.error}"
        return found

    def hear(self, event: Event) -> TimelineEntry | None:
        """Take an event of the machine; return the map that it has made."""
        if isinstance(event, CommitRecord):
            return self._add(event.time_ns, event.cause)
        if isinstance(event, PhaseChange) and not self.dropped:
            self.phases.setdefault(event.phase, len(self.entries) - 1)
        return None

    def _add(self, time_ns: int, cause: str) -> TimelineEntry | None:
        if len(self.entries) >= self._most:
            self.dropped += 1
            return None
        entry = TimelineEntry(time_ns, cause, self._sharing.shared(Snapshot.of(self._memory)))
        self.entries.append(entry)
        return entry

    def at(self, moment: Moment) -> Snapshot:
        """Return the map at a moment: at a phase as it began, or after all commits until then.

        Raises:
            PeerError: the firmware did not enter the phase.
            UnsupportedError: the CPU could not go on, or there was no room for a map so late.
        """
        if moment.phase is not None:
            place = self.phases.get(moment.phase)
        else:
            until = moment.time_ns or 0
            place = sum(each.time_ns <= until for each in self.entries) - 1
            if place == len(self.entries) - 1 and self.dropped:
                place = None
        if place is not None:
            return self.entries[place].snapshot
        if self.dropped:
            raise UnsupportedError(
                f"the map changed more often than {self._most} times: nothing is kept of {moment}"
            )
        if self.problem:
            raise UnsupportedError(self.problem)
        raise PeerError(f"the firmware does not enter the phase {str(moment.phase)!r}")
