"""A listener that remembers what it was told, and knows whether it made sense."""

from __future__ import annotations

from typing import NamedTuple

from guestmap.memory import AddressSpace, FlatRange, MemoryListener, MemoryRegionSection


class ListenerEvent(NamedTuple):
    """One callback.

    Attributes:
        call: name of the callback.
        start, end: first address and first address after; 0 and 0 for ``begin`` and ``commit``.
        region: name of the region, "" for ``begin`` and ``commit``.
        offset: of the section in its region, in bytes.
        masks: what log callbacks got: the old and the new mask.
    """

    call: str
    start: int = 0
    end: int = 0
    region: str = ""
    offset: int = 0
    masks: tuple[int, int] = (0, 0)


class RecordingListener(MemoryListener):
    """Replays its callbacks into a map and keeps a trace of them.

    Attributes:
        trace: every callback, oldest first; clear it at will.
        sections: the map by address, as adds and dels have left it.
        problems: what broke the rules: a callback outside of ``begin`` and ``commit``, a del after
            an add in one round, a del of what is not there, an add onto what is there already.
    """

    def __init__(self, name: str = "recorder", priority: int = 0) -> None:
        self.name = name
        self.priority = priority
        self.trace: list[ListenerEvent] = []
        self.sections: dict[int, MemoryRegionSection] = {}
        self.problems: list[str] = []
        self._open = False
        self._added = False

    def begin(self) -> None:
        """Note it."""
        self.trace.append(ListenerEvent("begin"))
        if self._open:
            self.problems.append("begin within begin")
        self._open, self._added = True, False

    def commit(self) -> None:
        """Note it."""
        self.trace.append(ListenerEvent("commit"))
        if not self._open:
            self.problems.append("commit without begin")
        self._open = False

    def region_add(self, section: MemoryRegionSection) -> None:
        """Put the section into the map."""
        self._note("region_add", section)
        start = section.offset_within_address_space
        end = start + section.size
        for at, other in self.sections.items():
            if start < at + other.size and at < end:
                self.problems.append(f"add of {start:#x}-{end:#x} onto {at:#x}")
        self.sections[start] = section
        self._added = True

    def region_del(self, section: MemoryRegionSection) -> None:
        """Take the section out of the map."""
        self._note("region_del", section)
        if self._added:
            self.problems.append("a del after an add")
        there = self.sections.pop(section.offset_within_address_space, None)
        if there is None or there[:7] != section[:7]:
            self.problems.append(f"del of {section!r} where {there!r} is")

    def log_start(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """Note it."""
        self._note("log_start", section, old, new)

    def log_stop(self, section: MemoryRegionSection, old: int, new: int) -> None:
        """Note it."""
        self._note("log_stop", section, old, new)

    def calls(self) -> list[tuple[str, int, str]]:
        """Return the trace in short: callback, address, name of the region."""
        return [(event.call, event.start, event.region) for event in self.trace]

    def assert_shows(self, space: AddressSpace) -> None:
        """Check that the replayed map is what ``space`` shows, and that no rule was broken.

        Raises:
            AssertionError: it is not.
        """
        shown = [_key(each) for each in space.view]
        replayed = [_section_key(self.sections[at]) for at in sorted(self.sections)]
        if self.problems or self._open or shown != replayed:
            raise AssertionError(
                f"listener {self.name!r} of {space.name!r}: {self.problems or 'no broken rules'}"
                f"{', still in a round' if self._open else ''}\nshown:    {shown}"
                f"\nreplayed: {replayed}"
            )

    def _note(self, call: str, section: MemoryRegionSection, old: int = 0, new: int = 0) -> None:
        if not self._open:
            self.problems.append(f"{call} outside of begin and commit")
        start = section.offset_within_address_space
        end, name = start + section.size, section.region.name
        event = ListenerEvent(call, start, end, name, section.offset_within_region, (old, new))
        self.trace.append(event)


class NopRecordingListener(RecordingListener):
    """Hears of what stays, too; that makes each commit walk the whole view."""

    def region_nop(self, section: MemoryRegionSection) -> None:
        """Note it."""
        self._note("region_nop", section)
        there = self.sections.get(section.offset_within_address_space)
        if there is None or there[:7] != section[:7]:
            self.problems.append(f"nop of {section!r} where {there!r} is")


def _key(each: FlatRange) -> tuple[object, ...]:
    return (
        each.start,
        each.size,
        each.region,
        each.offset_in_region,
        each.readonly,
        each.nonvolatile,
        each.unmergeable,
    )


def _section_key(section: MemoryRegionSection) -> tuple[object, ...]:
    return (
        section.offset_within_address_space,
        section.size,
        section.region,
        section.offset_within_region,
        section.readonly,
        section.nonvolatile,
        section.unmergeable,
    )
