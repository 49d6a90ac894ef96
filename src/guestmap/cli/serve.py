"""``guestmap serve``: memory maps in a web browser, with their history."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from guestmap.base import ConfigError, GuestmapError, HostError
from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import sources
from guestmap.cli.output import say, warn
from guestmap.cli.own_source import own_source
from guestmap.machine.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.machine import MachineConfig
    from guestmap.machine.moments import Moment
    from guestmap.qmp.client import Target
    from guestmap.view.film import Film

_INTERVAL_S = 1.0


def serve(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            autocompletion=sources,
            help="'boot': a machine of guestmap's own with each change of its map, with RAM as in"
            " 'boot:4G', or 'reset': as it is before the first instruction; a running machine"
            " (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME); or files, one for each moment.",
        ),
    ],
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Beyond loopback others can look."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: a free one.", min=0, max=65535)] = 5100,
    interval: Annotated[
        float | None,
        typer.Option(help="Seconds between two looks at a running machine; else 1.", min=0.05),
    ] = None,
    ram: Annotated[
        str, typer.Option("-m", help="RAM of the machine of guestmap's own; else its board's.")
    ] = "",
    machine: Board = "",
    bios: Annotated[
        Path | None, typer.Option(help="Firmware image, as for 'guestmap boot'.")
    ] = None,
    option_rom: Annotated[
        list[Path] | None, typer.Option(metavar="FILE", help="Add an option ROM to 'boot'.")
    ] = None,
    until: Annotated[
        Phase, typer.Option(help="Stop 'boot' as the firmware enters this phase.")
    ] = Phase.HALT,
    at: At = "",
) -> None:
    """Show a memory map live in a web browser, with its history as a timeline to step through.

    --at opens the page at a moment of a boot; on the page, any other can be typed in.
    """
    try:
        from guestmap.view.film import Film
        from guestmap.view.live import serve as serve_film
        from guestmap.view.web_access import is_loopback
    except ModuleNotFoundError as error:
        if error.name != "bokeh":
            raise
        raise ConfigError(
            "serve needs bokeh, which is not installed: pip install 'guestmap[view]'"
        ) from error
    film = Film(f"Memory map of {', '.join(sources)}")
    own = [own_source(_with_ram(source, ram), machine, at) for source in sources]
    changed = {"bios": bios, "option_roms": tuple(option_rom) if option_rom else None}
    produce = _producer(
        own, film, interval=interval, until=until,
        changed={name: value for name, value in changed.items() if value is not None},
    )  # fmt: skip
    threading.Thread(target=_guarded, args=(produce, film), daemon=True).start()

    def ready(url: str) -> None:
        say(f"{url} shows {', '.join(sources)}; Ctrl-C ends", flush=True)
        if not is_loopback(host):
            warn(f"warning: whoever reaches {host} and has that link, or overhears it, can look")

    try:
        serve_film(film, host=host, port=port, ready=ready)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostError(f"cannot listen on {host}:{port} ({reason})", call="bind") from error


def _producer(
    sources: list[str],
    film: Film,
    *,
    interval: float | None,
    until: Phase,
    changed: dict[str, Any],
) -> Callable[[], None]:
    """Return what adds the frames of the sources to a film.

    Args:
        sources: what is shown.
        film: where to.
        interval: seconds between two looks at a running machine.
        until: where a boot ends.
        changed: what is otherwise in the configuration of one that boots.

    Raises:
        ConfigError: the sources cannot be shown together.
        GuestmapError: a file cannot be read.
    """
    from guestmap.cli.source import BOOT, load_snapshot, own_machine
    from guestmap.qmp.client import parse_target
    from guestmap.view.film import Frame

    targets = [parse_target(source) for source in sources]
    machines = [own_machine(source) for source in sources]
    boots = [own for own in machines if own is not None and own.state == BOOT]
    if len(sources) > 1 and (boots or any(targets)):
        raise ConfigError("serve shows one running machine, or any number of files")
    target = targets[0]
    if interval is not None and target is None:
        raise ConfigError("--interval is for a running machine: nothing else is looked at again")
    if boots:
        film.opens_at, film.from_start = _words(boots[0].moment), True
        return _boot(film, replace(boots[0].config, **changed), until)
    if changed or until is not Phase.HALT:
        raise ConfigError("--bios, --option-rom and --until are for 'boot': nothing else runs")
    if target is not None:
        return lambda: _poll(film, target, interval or _INTERVAL_S)
    for number, source in enumerate(sources):
        film.add(Frame(float(number), source, load_snapshot(source)))
    film.ended = "files"
    return lambda: None


def _guarded(produce: Callable[[], None], film: Film) -> None:
    """Run a producer; what goes wrong for a reason is told in the page."""
    try:
        produce()
    except GuestmapError as error:
        film.ended = str(error)


def _with_ram(source: str, ram: str) -> str:
    """Return a machine of guestmap's own with the RAM that ``-m`` says.

    Raises:
        ConfigError: it is none, or has some already.
    """
    from guestmap.cli.source import is_own

    if not ram:
        return source
    if not is_own(source) or ":" in source:
        raise ConfigError(
            "-m is the RAM of a machine of guestmap's own: write 'boot' or 'reset', without RAM"
            f" behind it, instead of {source!r}"
        )
    return f"{source}:{ram}"


def _words(moment: Moment | None) -> str:
    """Return a moment as a film reads it."""
    if moment is None:
        return ""
    return str(moment.phase) if moment.time_ns is None else f"{moment.time_ns}ns"


def _boot(film: Film, config: MachineConfig, until: Phase) -> Callable[[], None]:
    """Return what boots firmware; each change of the map is a frame.

    Raises:
        GuestmapError: there cannot be such a machine.
    """
    from guestmap.machine import Event, LogLine, PhaseChange, VirtualMachine
    from guestmap.machine.timeline import Timeline
    from guestmap.view.film import Frame

    def observe(event: Event) -> None:
        entry = timeline.hear(event)
        if entry is not None:
            film.add(Frame(entry.time_ns / 1e9, entry.cause, entry.snapshot))
        elif isinstance(event, PhaseChange):
            film.mark(str(event.phase), event.time_ns / 1e9)
        elif isinstance(event, LogLine):
            film.note(event.time_ns / 1e9, event.text)
        film.dropped = timeline.dropped

    vm = VirtualMachine(config, observer=observe)
    timeline = Timeline(vm.board.system)
    film.add(Frame(0.0, timeline.entries[0].cause, timeline.entries[0].snapshot))

    def run() -> None:
        with vm:
            state = vm.run(until=frozenset((until, Phase.HALT)))
        film.ended = f"the machine is {state}"

    return run


def _poll(film: Film, target: Target, interval: float) -> None:
    """Look at a running machine again and again; each change is a frame."""
    from guestmap.inspect.ask.diff import diff
    from guestmap.inspect.sources.live import attach
    from guestmap.inspect.sources.live.watching import Watcher
    from guestmap.view.film import Frame

    start = time.monotonic()
    with attach(target) as machine:
        watcher = Watcher(machine)
        film.add(Frame(0.0, f"{machine.source} as it was found", watcher.snapshot))
        while True:
            time.sleep(interval)
            seen = watcher.look()
            if seen.before is not None and seen.after is not None:
                causes = "; ".join(cause.text for cause in diff(seen.before, seen.after).causes)
                film.add(Frame(time.monotonic() - start, causes, seen.after))
