"""Watching a running machine's map by looking again and again; when is the caller's business."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.sources.live.attachment import Attachment
    from guestmap.qmp.client.monitor import MonitorEvent


@dataclass(frozen=True, slots=True)
class Sighting:
    """What happened since the last look.

    Attributes:
        events: what the machine told meanwhile; often it says why the map changed.
        before, after: the maps, where they are not the same; else None.
    """

    events: tuple[MonitorEvent, ...] = ()
    before: Snapshot | None = None
    after: Snapshot | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing happened."""
        return not self.events and self.after is None


class Watcher:
    """Looks at a machine's map, and tells what is new.

    A look that finds the map as it was costs no more than the questions; texts are compared as
    they came. What changes and changes back between two looks is not seen.

    Attributes:
        snapshot: the map as it was last seen.
        looks, changes, events: how many there were.
    """

    def __init__(self, machine: Attachment) -> None:
        self._machine = machine
        self._reading = machine.read()
        self.snapshot = self._reading.snapshot
        self.looks, self.changes, self.events = 1, 0, 0

    def look(self) -> Sighting:
        """Look once.

        Raises:
            PeerError: the machine has gone; :meth:`last_words` has what it told before.
        """
        reading = None if self._machine.shows(self._reading) else self._machine.read()
        self.looks += 1
        events = self._told()
        if reading is None or reading.same_map(self._reading):
            return Sighting(events)
        before, self._reading = self.snapshot, reading
        self.snapshot = reading.snapshot
        self.changes += 1
        return Sighting(events, before, self.snapshot)

    def last_words(self) -> Sighting:
        """Return the events that came with the end of the session."""
        return Sighting(self._told())

    def _told(self) -> tuple[MonitorEvent, ...]:
        events = tuple(self._machine.events())
        self.events += len(events)
        return events
