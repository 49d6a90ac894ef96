"""``guestmap domain event``: what happens to domains, as it happens."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.cli.domain_words import names_of
from guestmap.cli.output import say, say_json
from guestmap.cli.parameters import Json
from guestmap.cli.streams import is_lost

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.domain.events.log import DomainEvent

_STEP_S = 1.0


def event(
    ctx: typer.Context,
    name: Annotated[
        str | None,
        typer.Option("--domain", metavar="DOMAIN", help="Of one alone.", autocompletion=names_of),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--event", metavar="KIND", help="Of one kind alone.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Of all kinds: as always.")] = False,
    loop: Annotated[bool, typer.Option("--loop", help="Go on after the first.")] = False,
    timeout: Annotated[
        float | None, typer.Option("--timeout", min=0.0, help="Seconds to listen.")
    ] = None,
    stamped: Annotated[
        bool, typer.Option("--timestamp", help="When it happened, before each.")
    ] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the kinds, and end.")] = False,
    as_json: Json = False,
) -> None:
    """Tell what happens to domains: a line for each event, with --json a JSON object for each.

    Whoever listens also finishes what a guest lets go of after its deadline.
    """
    from guestmap.base import ConfigError
    from guestmap.domain.events.listener import DomainListener
    from guestmap.domain.events.log import KINDS

    del every
    if listed:
        if as_json:
            say_json({"kinds": list(KINDS)}, indent=None)
            return
        for each in KINDS:
            say(each)
        return
    if kind is not None and kind not in KINDS:
        raise ConfigError(f"--event {kind!r} is not one of {', '.join(KINDS)}")
    manager = ctx.obj.manager()
    if name is not None:
        name = manager.name_of(name)
        manager.store.known(name)

    def told(found: DomainEvent) -> bool:
        if kind is not None and found.event != kind:
            return False
        _print(found, as_json, stamped=stamped)
        return not loop

    deadline = None if timeout is None else manager.pace.now() + timeout
    with DomainListener(manager, name) as listener:
        while not is_lost():
            left = None if deadline is None else deadline - manager.pace.now()
            if left is not None and left <= 0:
                return
            for found in listener.step(_STEP_S if left is None else min(_STEP_S, left)):
                if told(found):
                    return


def _print(found: DomainEvent, as_json: bool, *, stamped: bool) -> None:
    if as_json:
        form = {"event": found.event, "domain": found.domain, "at": found.at,
                "detail": found.detail, **found.facts}  # fmt: skip
        say_json(form, indent=None, flush=True)
        return
    more = " ".join(f"{name}={value}" for name, value in found.facts.items())
    words = " ".join(word for word in (found.detail, more) if word)
    when = f"{datetime.fromtimestamp(found.at, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] + "+0000: "
    begin = when if stamped else ""
    say(f"{begin}event '{found.event}' for domain '{found.domain}': {words}", flush=True)


EVENT_VERBS: dict[str, Callable[..., None]] = {"event": event}
