"""``guestmap watch``: a running machine's map, and each change of it as it happens."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.base import ConfigError, PeerError
from guestmap.cli.board_option import Board
from guestmap.cli.completing import sources
from guestmap.cli.output import counted, say, say_json
from guestmap.cli.own_source import on_board
from guestmap.cli.parameters import GIVEN_UP
from guestmap.cli.streams import is_lost

if TYPE_CHECKING:
    from guestmap.inspect.sources.live import Attachment
    from guestmap.inspect.sources.live.watching import Sighting, Watcher

_INTERVAL_S = 1.0
_ENDING = "SHUTDOWN"
"""The event after which QEMU leaves on purpose."""
_GOING_ON = {"RESET", "RESUME"}
"""Events after which it does not, after all."""


def watch(
    source: Annotated[
        str,
        typer.Argument(
            metavar="SOURCE",
            autocompletion=sources,
            help="A running machine (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME), or 'boot': SeaBIOS"
            " on a PC of guestmap's own, with RAM as in 'boot:4G'." + GIVEN_UP,
        ),
    ],
    interval: Annotated[
        float | None,
        typer.Option(help=f"Seconds between two looks; else {_INTERVAL_S:g}.", min=0.01, max=86400),
    ] = None,
    machine: Board = "",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on each line.")
    ] = False,
) -> None:
    """Print what changes in a running machine's map, until Ctrl-C or the machine's end.

    A machine that shuts down is an end like Ctrl-C, with status 0; one that dies without a word is
    an error, told after the summary, with status 2.

    QEMU is asked again and again (libvirt: through its monitor); what changes and changes back
    between two looks is not seen. QEMU's own events are printed too: often they are the cause.
    On 'boot', a PC of guestmap's own, nothing is missed, and each change has its true cause.
    """
    from guestmap.cli.patience import asked_machine
    from guestmap.cli.source import BOOT, own_machine
    from guestmap.qmp.client import FORMS, parse_target

    own = own_machine(on_board(source, machine))
    if own is not None and own[0] == BOOT:
        if interval is not None:
            raise ConfigError("--interval is for other machines: of 'boot' every change is seen")
        from guestmap.cli.watch_boot import watch_boot

        if own.moment is not None:
            raise ConfigError("watch tells of all moments of 'boot': leave out at=")
        watch_boot(own[1], as_json=as_json)
        return
    target = parse_target(source)
    if target is None:
        raise ConfigError(
            f"watch needs a running machine ({', '.join(FORMS)}, or 'boot' for one of guestmap's"
            f" own), and {source!r} is none"
        )
    with asked_machine(source, target) as attached:
        seconds = _INTERVAL_S if interval is None else interval
        _Session(attached, seconds, _Lines() if as_json else _Words()).run()


class _Session:
    """One run of ``watch``."""

    def __init__(self, machine: Attachment, interval: float, out: _Words | _Lines) -> None:
        self._machine = machine
        self._interval = interval
        self._out = out
        self._start = time.monotonic()
        self._shuts_down = False

    def run(self) -> None:
        from guestmap.cli.patience import patience
        from guestmap.inspect.sources.live.watching import Watcher

        with patience(self._machine.source):
            watcher = Watcher(self._machine)
        self._out.begin(watcher, self._machine, self._interval)
        try:
            while not is_lost():
                with patience(self._machine.source):
                    sighting = watcher.look()
                self._tell(sighting)
                time.sleep(self._interval)
        except KeyboardInterrupt:
            pass  # this is how it ends
        except PeerError:
            self._tell(watcher.last_words())
            if not self._shuts_down:  # it may have said so with an answer, a moment before
                self._out.end(watcher, self._elapsed)
                raise
        self._out.end(watcher, self._elapsed)

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _tell(self, sighting: Sighting) -> None:
        for event in sighting.events:
            if event.name == _ENDING:
                self._shuts_down = True
            elif event.name in _GOING_ON:
                self._shuts_down = False
        if not sighting.is_empty:
            self._out.tell(sighting, self._elapsed)


class _Words:
    """For people."""

    def begin(self, watcher: Watcher, machine: Attachment, interval: float) -> None:
        from guestmap.qmp.client import program

        seen = watcher.snapshot
        self._print(
            f"watching {machine.source} ({program(machine.version)}, {machine.monitor.status()}):"
            f" {len(seen.regions)} regions, {len(seen.views)} views; a look every {interval:g} s,"
            " Ctrl-C ends"
        )

    def tell(self, sighting: Sighting, elapsed: float) -> None:
        stamp = f"{elapsed:9.3f} s  "
        for event in sighting.events:
            data = " ".join(f"{name}={_plain(value)}" for name, value in event.data.items())
            self._print(f"{stamp}event {event.name} {data}".rstrip())
        if sighting.before is None or sighting.after is None:
            return
        from guestmap.inspect.ask.diff import diff
        from guestmap.inspect.ask.diff_sentences import diff_sentences
        from guestmap.inspect.ask.slot_words import slot_changes

        self._print(f"{stamp}the map changed:")
        for line in diff_sentences(diff(sighting.before, sighting.after)):
            self._print(f"{'':13}{line}")
        for line in slot_changes(sighting.before, sighting.after):
            self._print(f"{'':13}{line}")

    def end(self, watcher: Watcher, elapsed: float) -> None:
        self._print(
            f"watched for {elapsed:.1f} s: {counted(watcher.looks, 'look')},"
            f" {counted(watcher.changes, 'change')} of the map, {counted(watcher.events, 'event')}"
        )

    def _print(self, text: str) -> None:
        say(text, flush=True)


class _Lines:
    """For programs: JSON Lines."""

    def begin(self, watcher: Watcher, machine: Attachment, interval: float) -> None:
        self._print(
            {
                "format": "guestmap.watch",
                "format_version": 1,
                "source": machine.source,
                "version": machine.version,
                "interval_s": interval,
                "snapshot": watcher.snapshot.to_json(),
            }
        )

    def tell(self, sighting: Sighting, elapsed: float) -> None:
        form: dict[str, Any] = {
            "time_s": elapsed,
            "events": [{"name": e.name, "data": dict(e.data)} for e in sighting.events],
        }
        if sighting.before is not None and sighting.after is not None:
            from guestmap.inspect.ask.diff import diff

            form["diff"] = diff(sighting.before, sighting.after).to_json()
            form["snapshot"] = sighting.after.to_json()
        self._print(form)

    def end(self, watcher: Watcher, elapsed: float) -> None:
        self._print(
            {
                "time_s": elapsed,
                "looks": watcher.looks,
                "changes": watcher.changes,
                "events": watcher.events,
                "ended": True,
            }
        )

    def _print(self, form: dict[str, Any]) -> None:
        say_json(form, indent=None, flush=True)


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
