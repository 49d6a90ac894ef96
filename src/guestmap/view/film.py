"""A map's history: frames, each a map at one moment, and the picture of each.

All pictures of a film have the same axes and the same lanes, made to fit every frame, so that
nothing jumps from one to the next. Frames may be added by another thread than the one that looks at
the pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple

from guestmap.base import parse_duration, printable
from guestmap.inspect.map.printable import with_printable_texts
from guestmap.view.compare import marked_family, matched_families
from guestmap.view.compose import NOT_TO_SCALE, panel_of
from guestmap.view.detail import limited
from guestmap.view.picture import Picture
from guestmap.view.sections import find_sections

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect import Snapshot
    from guestmap.view.guest_screen import GuestScreen
    from guestmap.view.picture import Panel
    from guestmap.view.sections import Family

MOST_FRAMES = 1000
"""A film is no longer than that: every map is kept whole."""

FLOW = "~~"
"""What a line of the firmware's flow begins with: such lines have a lane of their own."""

MOST_NOTES = 4000
"""A film has no more lines of what else happened, and no more spans."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A map, when it was so (seconds from the beginning), and what made it so."""

    time_s: float
    cause: str
    snapshot: Snapshot


SpanKind = Literal["use", "life", "mark"]


@dataclass(slots=True)
class FilmSpan:
    """Something that lasts, from when until when in seconds; ``end_s`` is None while it does.

    Attributes:
        lane: what it is shown in one line with.
        said: what else there is to say of it.
        kind: ``use``, ``life`` (pale, behind others) or ``mark``.
        rank: lanes of a lower one stand above.
    """

    lane: str
    start_s: float
    said: str = ""
    kind: SpanKind = "use"
    rank: int = 0
    end_s: float | None = None


class _Drawn(NamedTuple):
    """What is drawn of a frame, and what is said of the rest."""

    families: Sequence[Family]
    notes: list[str]


class Film:
    """Frames, in the order in which they happened.

    Attributes:
        title: what it is about.
        ended: why no more frames will come; "" while some may.
        dropped: how many frames came after it was full.
        marks: moments that have a name, in seconds from the beginning.
        opens_at: where a page begins, a moment as people write it; "" at the newest frame.
        from_start: a page begins at the first frame, where nothing else is said.
        notes: what else happened, seconds from the beginning and a line each.
        spans: what lasts, in the order of its begin.
        screen: the screen of the machine that it is of; None without.
        unlisted: how many lines and spans came after there were :data:`MOST_NOTES` of them.
    """

    def __init__(self, title: str) -> None:
        self.title = printable(title)
        self.ended = ""
        self.dropped = 0
        self.marks: dict[str, float] = {}
        self.opens_at = ""
        self.from_start = False
        self.notes: list[tuple[float, str]] = []
        self.spans: list[FilmSpan] = []
        self.unlisted = 0
        self.screen: GuestScreen | None = None
        self._frames: list[Frame] = []
        self._findings: list[_Drawn] = []

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Frame:
        return self._frames[index]

    def add(self, frame: Frame) -> None:
        """Add a frame at the end; from any thread."""
        if len(self._frames) >= MOST_FRAMES:
            self.dropped += 1
        else:
            shown = with_printable_texts(frame.snapshot)
            self._frames.append(replace(frame, cause=printable(frame.cause), snapshot=shown))

    def mark(self, name: str, time_s: float) -> None:
        """Give a moment a name; the first of several of one name counts."""
        self.marks.setdefault(name.lower(), time_s)

    def note(self, time_s: float, text: str) -> None:
        """Add a line to what happened; from any thread. The first :data:`MOST_NOTES` are kept."""
        if len(self.notes) >= MOST_NOTES:
            self.unlisted += 1
        else:
            self.notes.append((time_s, printable(text)))

    def add_span(self, span: FilmSpan) -> None:
        """Add what lasts; from any thread, which may end it later. The first are kept."""
        if len(self.spans) >= MOST_NOTES:
            self.unlisted += 1
        else:
            span.lane, span.said = printable(span.lane), printable(span.said)
            self.spans.append(span)

    def index_at(self, moment: str) -> int | None:
        """Return the frame that was so at a moment: a mark's name, or a time as ``61ms``.

        None where there is no such moment, or not yet.

        Raises:
            ConfigError: it is neither a name nor a time.
        """
        name = moment.strip().lower()
        if name in self.marks:
            time_s = self.marks[name]
        elif name.isalpha():
            return None
        else:
            time_s = parse_duration(name, what="the moment") / 1e9
        before = [index for index, frame in enumerate(self._frames) if frame.time_s <= time_s]
        is_over = bool(self.ended) or (bool(self._frames) and self._frames[-1].time_s > time_s)
        return before[-1] if before and (is_over or name in self.marks) else None

    def picture(self, index: int) -> Picture:
        """Return the picture of a frame; what was not so in the frame before it is marked.

        Raises:
            IndexError: there is no such frame.
        """
        frame = self._frames[index]
        found = self._found(index)
        new = found.families
        old = self._found(index - 1).families if index else new
        panels = [
            self._panel(one, other) for one, other in matched_families(old, new) if other.sections
        ]
        place = {id(family): number for number, family in enumerate(new)}
        return Picture(
            title=self.title,
            subtitle=f"version: {frame.snapshot.version}" if frame.snapshot.version else "",
            panels=tuple(panel for _, panel in sorted(panels, key=lambda p: place[p[0]])),
            notes=(NOT_TO_SCALE, *found.notes),
        )

    def _found(self, index: int) -> _Drawn:
        while len(self._findings) <= index:
            found = find_sections(self._frames[len(self._findings)].snapshot)
            families, notes = limited(found.families)
            self._findings.append(_Drawn(families, notes))
        return self._findings[index]

    def _panel(self, old: Family, new: Family) -> tuple[int, Panel]:
        return id(new), panel_of(marked_family(old, new), others=self._like(new))

    def _like(self, family: Family) -> Iterator[Family]:
        """Yield the families of all frames that belong in the place of one."""
        names = {name for section in family.sections for name in section.spaces}
        self._found(len(self._frames) - 1)
        for found in self._findings:
            for other in found.families:
                if any(names & set(section.spaces) for section in other.sections):
                    yield other
