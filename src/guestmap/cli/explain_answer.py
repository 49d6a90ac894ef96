"""What ``guestmap explain`` answers, once its command line is read."""

from __future__ import annotations

from guestmap.base import parse_address, parse_address_range
from guestmap.cli.output import show, with_notes
from guestmap.cli.own_source import own_source


def explain_answer(
    source: str,
    address: str,
    space: str = "memory",
    machine: str = "",
    at: str = "",
    as_json: bool = False,
) -> None:
    """Answer; the parameters are those of :func:`guestmap.cli.explain.explain`.

    Raises:
        GuestmapError: the address is none, or the map cannot be had.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.ask.sentences import explain_range_sentences, explain_sentences

    source = own_source(source, machine, at)
    if "-" in address:
        from guestmap.inspect.ask.explain_range import explain_range

        first, last = parse_address_range(address)
        snapshot = load_snapshot(source)
        each = explain_range(snapshot, first, last + 1, space)
        show(
            with_notes("explain", each.to_json(), snapshot), explain_range_sentences(each), as_json
        )
        return
    from guestmap.inspect.ask.explain import explain

    where = parse_address(address)
    snapshot = load_snapshot(source)
    told = explain(snapshot, where, space)
    show(with_notes("explain", told.to_json(), snapshot), explain_sentences(told), as_json)
