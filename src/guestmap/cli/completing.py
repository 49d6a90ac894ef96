"""What a shell may complete: sources, the names of regions and address spaces, boards, codes.

Nothing is done to a machine: a live one is asked for its map, as ``guestmap tree`` does, and only
where it answers soon. What cannot be had completes to nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from guestmap.base import GuestmapError

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot

_OWN = ("reset", "boot")
_SCHEMES = ("unix:", "tcp:", "libvirt:")


def sources(incomplete: str) -> list[str]:
    """Return machines of guestmap's own, kinds of running ones, sockets, files and folders."""
    scheme, colon, rest = incomplete.partition(":")
    if scheme == "unix" and colon:
        return [f"unix:{each}" for each in _paths(rest, sockets=True)]
    words = [word for word in (*_OWN, *_SCHEMES) if word.startswith(incomplete)]
    return [*words, *_paths(incomplete, sockets=False)]


def _paths(incomplete: str, *, sockets: bool) -> Iterator[str]:
    """Yield what begins so: folders, and files or sockets."""
    folder, _, name = incomplete.rpartition("/")
    base = Path(folder or ("/" if incomplete.startswith("/") else "."))
    entries: list[os.DirEntry[str]] = []
    with suppress(OSError):
        entries = sorted(os.scandir(base), key=lambda each: each.name)
    for entry in entries:
        if not entry.name.startswith(name) or (entry.name[:1] == "." and not name):
            continue
        path = incomplete[: len(incomplete) - len(name)] + entry.name
        with suppress(OSError):  # a link to nothing
            if entry.is_dir():
                yield f"{path}/"
            elif sockets == stat.S_ISSOCK(entry.stat().st_mode):
                yield path


def regions(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of a source's regions."""
    found = _snapshot(ctx)
    names = {each.name for each in found.regions} if found is not None else set()
    return sorted(name for name in names if name.startswith(incomplete) and name.isprintable())


def spaces(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the names of a source's address spaces."""
    found = _snapshot(ctx)
    names = {user.name for view in found.views for user in view.users} if found is not None else ()
    return sorted(name for name in names if name.startswith(incomplete))


def _snapshot(ctx: typer.Context) -> Snapshot | None:
    """Return the map that the words before are about.

    A boot takes too long for a shell, and makes few regions: its machine is taken as at reset.
    Nothing is said of it beside: a shell's line is no place for words.
    """
    from guestmap.cli.own_source import on_board
    from guestmap.cli.source import is_own, is_saved_machine, load_snapshot, own_machine
    from guestmap.inspect.sources.open import load_snapshot as load_foreign

    # Where the last word is an option that lacks its value, click leaves arguments unassigned.
    source = ctx.params.get("source") or next(iter(ctx.args), None)
    if not isinstance(source, str) or source == "-":
        return None
    with suppress(GuestmapError):
        if not is_own(source):
            return load_snapshot(source) if is_saved_machine(source) else load_foreign(source)
        own = own_machine(on_board(source, ctx.params.get("machine") or ""))
        if own is not None:
            from guestmap.inspect import Snapshot
            from guestmap.machine import make_board

            return Snapshot.of(make_board(own.config).system)
    return None


def boards(incomplete: str) -> list[str]:
    """Return the names of boards, or the options of one with a comma behind it."""
    from guestmap.machine.boards import BOARDS, board_names

    name, comma, rest = incomplete.rpartition(",")
    if not comma:
        return [each for each in (*board_names(), "help") if each.startswith(incomplete)]
    board = next((each for each in BOARDS if name.split(",")[0] in {each.name, each.alias}), None)
    options = [f"{option.name}=" for option in board.options] if board is not None else []
    return [f"{name},{option}" for option in (*options, "help") if option.startswith(rest)]


def codes(incomplete: str) -> list[str]:
    """Return the codes of what ``lint`` looks for."""
    from guestmap.inspect.ask.lint import CHECKS

    return sorted(each.code for each in CHECKS if each.code.startswith(incomplete))
