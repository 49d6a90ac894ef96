"""``guestmap serve``: memory maps in a web browser, with their history."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError, GuestmapError, HostError
from guestmap.cli.output import say, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.inspect.attach import Target
    from guestmap.view.film import Film

_DEFAULT_RAM = "128M"
_INTERVAL_S = 1.0
BOOT = "boot"
"""The source that is a machine of our own."""


def serve(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="'boot': SeaBIOS on a PC of guestmap's own; a running machine (unix:SOCKET,"
            " tcp:HOST:PORT, libvirt:NAME); or files, one for each moment.",
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
        str, typer.Option("-m", help=f"RAM of the machine that boots; else {_DEFAULT_RAM}.")
    ] = "",
) -> None:
    """Show a memory map live in a web browser, with its history as a timeline to step through."""
    try:
        from guestmap.view.door import is_loopback
        from guestmap.view.film import Film
        from guestmap.view.live import serve as serve_film
    except ModuleNotFoundError as error:
        if error.name != "bokeh":
            raise
        raise ConfigError(
            "serve needs bokeh, which is not installed: pip install 'guestmap[view]'"
        ) from error
    film = Film(f"Memory map of {', '.join(sources)}")
    produce = _producer(sources, film, interval=interval, ram=ram)
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
    sources: list[str], film: Film, *, interval: float | None, ram: str
) -> Callable[[], None]:
    """Return what adds the frames of the sources to a film.

    Raises:
        ConfigError: the sources cannot be shown together.
        GuestmapError: a file cannot be read.
    """
    from guestmap.cli.source import load_snapshot
    from guestmap.inspect.attach import parse_target
    from guestmap.view.film import Frame

    targets = [parse_target(source) for source in sources]
    if len(sources) > 1 and (BOOT in sources or any(targets)):
        raise ConfigError("serve shows one running machine, or any number of files")
    target = targets[0]
    if interval is not None and target is None:
        raise ConfigError("--interval is for a running machine: nothing else is looked at again")
    if ram and sources != [BOOT]:
        raise ConfigError(f"-m is the RAM of the machine that {BOOT!r} starts")
    if sources == [BOOT]:
        return lambda: _boot(film, ram or _DEFAULT_RAM)
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


def _boot(film: Film, ram: str) -> None:
    """Boot firmware; each change of the map is a frame."""
    from guestmap.inspect import Snapshot
    from guestmap.machine import Event, MachineConfig, Phase, VirtualMachine, parse_ram_size
    from guestmap.memory.map import CommitRecord
    from guestmap.view.film import Frame

    def observe(event: Event) -> None:
        if isinstance(event, CommitRecord):
            film.add(Frame(event.time_ns / 1e9, event.cause, Snapshot.of(vm.board.system)))

    config = MachineConfig(ram_size=parse_ram_size(ram), debugcon=True)
    with VirtualMachine(config, observer=observe) as vm:
        film.add(Frame(0.0, "at reset", Snapshot.of(vm.board.system)))
        state = vm.run(until=Phase.HALT)
    film.ended = f"the machine is {state}"


def _poll(film: Film, target: Target, interval: float) -> None:
    """Look at a running machine again and again; each change is a frame."""
    from guestmap.inspect.attach import attach
    from guestmap.inspect.attach.watching import Watcher
    from guestmap.inspect.diff import diff
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
