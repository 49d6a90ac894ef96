"""What ``guestmap explain`` answers, once its command line is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import parse_address, parse_address_range
from guestmap.cli.output import show_moments, with_notes
from guestmap.cli.own_source import own_sources

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.inspect import Snapshot

_Answer = tuple[dict[str, Any], "Iterable[str]"]


def explain_answer(
    source: str,
    address: str,
    space: str = "memory",
    machine: str = "",
    at: Sequence[str] | None = None,
    as_json: bool = False,
) -> None:
    """Answer; the parameters are those of :func:`guestmap.cli.explain.explain`.

    Raises:
        GuestmapError: the address is none, or the map cannot be had.
    """
    from guestmap.cli.source import load_snapshots

    sources = own_sources(source, machine, at)
    first, last = parse_address_range(address) if "-" in address else (parse_address(address), None)
    maps = load_snapshots(sources)
    show_moments("explain", at, [_answer(each, first, last, space) for each in maps], as_json)


def _answer(snapshot: Snapshot, first: int, last: int | None, space: str) -> _Answer:
    from guestmap.inspect.ask.sentences import explain_range_sentences, explain_sentences

    if last is not None:
        from guestmap.inspect.ask.explain_range import explain_range

        each = explain_range(snapshot, first, last + 1, space)
        return with_notes("explain", each.to_json(), snapshot), explain_range_sentences(each)
    from guestmap.inspect.ask.explain import explain

    told = explain(snapshot, first, space)
    return with_notes("explain", told.to_json(), snapshot), explain_sentences(told)
