"""``guestmap serve``: memory maps in a web browser, with their history."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError, GuestmapError, HostError
from guestmap.cli.board_option import At, Board
from guestmap.cli.completing import sources
from guestmap.cli.output import say, warn
from guestmap.cli.own_source import own_source
from guestmap.cli.parameters import GIVEN_UP
from guestmap.cli.streams import is_refused
from guestmap.machine.phases import Phase

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.view.film import Film


def serve(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            autocompletion=sources,
            help="'boot': a machine of guestmap's own with each change of its map, with RAM as in"
            " 'boot:4G', or 'reset': as it is before the first instruction; a running machine"
            " (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME); or files, one for each moment."
            + GIVEN_UP,
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
    vga: Annotated[
        str,
        typer.Option(
            metavar="ADAPTER", help="Give 'boot' a screen, beside the map: std, cirrus, or none."
        ),
    ] = "",
    drive: Annotated[
        list[str] | None,
        typer.Option(metavar="DRIVE", help="Add a disk to 'boot', as with 'guestmap boot'."),
    ] = None,
    disk: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Add a hard disk, the file's bytes one for one."),
    ] = None,
    cdrom: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Add a CD-ROM drive with that ISO image.")
    ] = None,
    until: Annotated[
        Phase, typer.Option(help="Stop 'boot' as the firmware enters this phase.")
    ] = Phase.HALT,
    restore: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="'boot' goes on with a machine that was saved."),
    ] = None,
    trace: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RANGE[,r|w|x]",
            help="List each access of 'boot' in a range, with who answers and the instruction.",
        ),
    ] = None,
    stop_at: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RANGE[,r|w|x]",
            help="Stop 'boot' at the first access there, and list the registers.",
        ),
    ] = None,
    flow: Annotated[
        bool,
        typer.Option(
            "--flow",
            help="Show what the firmware of 'boot' does with modes, stacks and interrupts.",
        ),
    ] = False,
    keys: Annotated[
        bool,
        typer.Option("--keys", help="Type into a running machine, too: else it is only shown."),
    ] = False,
    at: At = "",
) -> None:
    """Show a memory map live in a web browser, with its history as a timeline to step through.

    --at opens the page at a moment of a boot; on the page, any other can be typed in. With --vga
    the guest's screen is beside its map: it can be typed into, and a click says where a dot is.
    The screen of a running machine on this host is shown, too, while a page is looked at; its keys
    are touched only with --keys.
    """
    try:
        from guestmap.cli.films import BootWishes, fill
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
    wishes = BootWishes(
        until,
        bios,
        tuple(option_rom or ()),
        restore,
        tuple(trace or ()),
        tuple(stop_at or ()),
        flow,
        vga,
        tuple(drive or ()),
        tuple(disk or ()),
        cdrom,
    )
    produce = fill(film, own, wishes, interval, keys=keys)
    threading.Thread(target=_guarded, args=(produce, film), daemon=True).start()

    def ready(url: str) -> bool:
        say(f"{url} shows {', '.join(sources)}; Ctrl-C ends", flush=True)
        if not is_loopback(host):
            can = "look and type" if film.screen is not None and film.screen.takes_keys else "look"
            warn(f"warning: whoever reaches {host} and has that link, or overhears it, can {can}")
        return not is_refused()

    try:
        serve_film(film, host=host, port=port, ready=ready)
    except OSError as error:
        reason = error.strerror or str(error)
        raise HostError(f"cannot listen on {host}:{port} ({reason})", call="bind") from error


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
