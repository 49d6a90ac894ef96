"""The firmware's flow as spans of a film: modes, windows for interrupts, stacks and their lives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.machine.flow.records import (
    STACK_KINDS,
    Decided,
    FirmwareEntry,
    InterruptsOpen,
    ModeChange,
    StackHop,
)
from guestmap.view.film import FilmSpan

if TYPE_CHECKING:
    from guestmap.machine.flow.records import FlowEvent
    from guestmap.view.film import Film, SpanKind

_MODES, _WINDOWS, _STACKS = range(3)
"""What stands above what."""


class FlowSpans:
    """Adds spans to a film, as events come: from each entry until the firmware boots.

    Args:
        film: where to.
    """

    def __init__(self, film: Film) -> None:
        self._film = film
        self._mode: FilmSpan | None = None
        self._use: FilmSpan | None = None
        self._lives: dict[int, FilmSpan] = {}  # by the stack's number
        self._entered_s = 0.0

    def hear(self, event: FlowEvent) -> None:
        """Hear of what the firmware does."""
        now_s = event.time_ns / 1e9
        if isinstance(event, FirmwareEntry | Decided):
            self._close(now_s)
            self._entered_s = now_s
        elif isinstance(event, ModeChange):
            self._mode_is(event, now_s)
        elif isinstance(event, StackHop):
            self._stack_is(event, now_s)
        else:
            self._open(event, now_s)

    def _mode_is(self, change: ModeChange, now_s: float) -> None:
        if self._mode is None:  # the first since the entry
            self._mode = self._begin(change.before, self._entered_s, rank=_MODES)
        self._mode.end_s = now_s
        self._mode = self._begin(change.after, now_s, rank=_MODES)

    def _stack_is(self, hop: StackHop, now_s: float) -> None:
        if self._use is not None:
            self._use.end_s = now_s
        if hop.before is not None and hop.ends:
            _end(self._lives.pop(hop.before.number, None), now_s)
        if hop.begins:
            _end(self._lives.pop(hop.after.number, None), now_s)
        lane = f"stack {hop.after.number} {hop.after.kind}: {hop.after.place}"
        if hop.after.number not in self._lives:
            said = f"its life, {STACK_KINDS[hop.after.kind]}"
            life = self._begin(lane, now_s, said, kind="life", rank=_STACKS)
            self._lives[hop.after.number] = life
        by = f"come to by {hop.cause}" if hop.cause else ""
        self._use = self._begin(lane, now_s, by, rank=_STACKS)

    def _open(self, window: InterruptsOpen, now_s: float) -> None:
        came = ", ".join(f"{each:02X}h" for each in window.came)
        said = f"at {window.address:08x}: {came or 'nothing'} came in"
        kind: SpanKind = "mark" if came else "use"
        span = self._begin("interrupts open", now_s, said, kind, rank=_WINDOWS)
        span.end_s = window.until_ns / 1e9

    def _begin(
        self, lane: str, time_s: float, said: str = "", kind: SpanKind = "use", *, rank: int
    ) -> FilmSpan:
        span = FilmSpan(lane, time_s, said, kind, rank)
        self._film.add_span(span)
        return span

    def _close(self, now_s: float) -> None:
        """End all that has begun: nobody tells how it goes on."""
        for span in (self._mode, self._use, *self._lives.values()):
            _end(span, now_s)
        self._mode = self._use = None
        self._lives.clear()


def _end(span: FilmSpan | None, now_s: float) -> None:
    if span is not None:
        span.end_s = now_s
