"""From what a user names to a snapshot: a running machine, a file, a folder, or standard input.

=========================  =======================================================================
``unix:PATH`` and others   a running machine, see :mod:`guestmap.qmp.client.address`
FILE                       a snapshot in JSON; what ``guestmap boot --json`` printed; or the text of
                           ``info mtree``, with any flags, ``info mtree -f`` behind it or alone
``FILE#before``            the map at reset in what ``guestmap boot --json`` printed (``#after``:
                           at the end, which is what FILE alone means)
FOLDER                     the texts of one machine at one moment: ``mtree.txt``, ``mtree-f.txt``
                           and so on, named by their flags; ``ramblock.txt`` and ``meta.json``
``-``                      any such file on standard input
=========================  =======================================================================
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, HostError
from guestmap.inspect.sources.content import read_bounded, snapshot_of_bytes
from guestmap.inspect.sources.folder import snapshot_of_folder

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.qmp.client.address import Target

MOMENTS = ("before", "after")
"""The snapshots in a boot report."""


def load_snapshot(source: str, *, trees: bool = True, dispatch: bool = False) -> Snapshot:
    """Return the memory map that ``source`` names.

    Args:
        source: see the table above.
        trees: false: leave out the region trees where that saves asking for them.
        dispatch: with the dispatch trees of the flat views, where the source can give them.

    Raises:
        ConfigError: it names nothing that is there.
        PeerError: what is there is not what it should be; says where.
        HostError: the operating system does not give it.
        UnsupportedError, StateError: see :func:`guestmap.inspect.sources.live.attach`.
    """
    if source == "-":
        content = read_bounded(sys.stdin.buffer, source="standard input")
        return snapshot_of_bytes(content, source="standard input")
    target = target_of(source)
    if target is not None:
        from guestmap.inspect.sources.live import attach

        with attach(target) as machine:
            return machine.snapshot(trees=trees, dispatch=dispatch)
    path, moment = _split(source)
    try:
        if path.is_dir():
            return snapshot_of_folder(path, dispatch=dispatch)
        with path.open("rb") as stream:
            return snapshot_of_bytes(
                read_bounded(stream, source=source), source=source, moment=moment
            )
    except FileNotFoundError:
        from guestmap.qmp.client.address import FORMS

        raise ConfigError(
            f"there is no {source!r}: write a file, a folder, a socket, {', '.join(FORMS)}, or -"
            " for standard input"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = getattr(error, "strerror", None) or str(error)
        raise HostError(f"cannot read {source!r} ({reason})", call="read") from error


def target_of(source: str) -> Target | None:
    """Return the machine that a source names; who reads a file does without all of QMP.

    Raises:
        ConfigError: see :func:`guestmap.qmp.client.address.parse_target`.
    """
    if os.path.isfile(source):  # unlike Path's own question, this never raises
        return None
    from guestmap.qmp.client.address import parse_target

    return parse_target(source)


def _split(source: str) -> tuple[Path, str | None]:
    """Part FILE#MOMENT, unless a file has that very name."""
    path, sharp, moment = source.rpartition("#")
    if sharp and moment in MOMENTS and not Path(source).exists():
        return Path(path), moment
    return Path(source), None
