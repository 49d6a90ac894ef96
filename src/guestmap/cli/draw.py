"""``guestmap draw``: a memory map as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError, write_whole
from guestmap.cli.board_option import Board
from guestmap.cli.completing import sources
from guestmap.cli.output import say_of
from guestmap.cli.own_source import on_board
from guestmap.cli.parameters import SOURCE_HELP, OneSpace

if TYPE_CHECKING:
    from guestmap.view import Picture

_FORMS = (".html", ".svg", ".png")


def draw(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            autocompletion=sources,
            help=f"{SOURCE_HELP} Two of them with --diff.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Where to: a name in .html, .svg or .png. A file of that name is replaced.",
        ),
    ] = Path("map.html"),
    diff: Annotated[
        bool, typer.Option("--diff", help="Draw two maps and mark what changed between them.")
    ] = False,
    space: OneSpace = None,
    machine: Board = "",
    disabled: Annotated[
        bool, typer.Option("--disabled", help="Draw regions that are not enabled, too.")
    ] = False,
) -> None:
    """Draw a memory map: who answers where, the tree behind it, and what is hidden in it.

    The HTML page needs no network: point at a box to see what it is and what hides it, turn the
    wheel to zoom, type a name or an address to find it. SVG and PNG are for documents.
    """
    if output.suffix.lower() not in _FORMS:
        raise ConfigError(f"cannot draw {output}: its name must end in {', '.join(_FORMS)}")
    if len(sources) != (2 if diff else 1):
        wanted = "two sources with --diff" if diff else "one source (two with --diff)"
        raise ConfigError(f"draw needs {wanted}, not {len(sources)}")
    sources = [on_board(source, machine) for source in sources]
    form = output.suffix.lower()
    content = _drawn(sources, form, space, diff=diff, disabled=disabled)
    write_whole(output, content)
    say_of(output, f"{output}: {len(content):,} bytes")


def _drawn(
    sources: list[str], form: str, space: str | None, *, diff: bool, disabled: bool
) -> bytes:
    from guestmap.cli.source import load_snapshots
    from guestmap.view import compare, compose

    maps = load_snapshots(sources)
    if space is not None:
        from guestmap.inspect.ask.one_space import with_one_space

        maps = [with_one_space(each, space) for each in maps]
    if diff:
        picture = compare(*maps, show_disabled=disabled)
    else:
        picture = compose(maps[0], show_disabled=disabled)
    return rendered(picture, form)


def rendered(picture: Picture, form: str) -> bytes:
    """Return a picture as a file of a form: ``.html``, ``.svg`` or ``.png``.

    Raises:
        ConfigError: of another form, or what draws it is not installed.
    """
    if form not in _FORMS:
        raise ConfigError(f"a picture is drawn in {', '.join(_FORMS)}, and not in {form!r}")
    try:
        if form == ".html":
            from guestmap.view.page import html_page

            return html_page(picture).encode()
        from guestmap.view.still import still

        return still(picture, "svg" if form == ".svg" else "png")
    except ModuleNotFoundError as error:
        if error.name not in {"bokeh", "matplotlib"}:
            raise
        raise ConfigError(
            f"drawing {form[1:].upper()} needs {error.name}, which is not installed:"
            " pip install 'guestmap[view]'"
        ) from error
