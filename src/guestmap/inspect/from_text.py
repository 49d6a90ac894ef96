"""A snapshot out of the texts that QEMU's monitor gives for one machine at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.inspect.mtree import assemble, read_mtree
from guestmap.inspect.pasted import read_pasted
from guestmap.inspect.ramblock import read_ramblock
from guestmap.inspect.rebuild import Rebuilt, rebuild, rebuild_beside_views
from guestmap.inspect.unshown import unshown_note

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class MonitorTexts:
    """What was asked, word for word; "" where it was not.

    Attributes:
        trees: ``info mtree`` without ``-f``, best with ``-o -D``; the views may follow.
        views: ``info mtree -f``, best with ``-o``.
        ram: ``info ramblock``.
        complete: whether ``trees`` shows disabled regions too; None: it does where one is seen.
    """

    trees: str = ""
    views: str = ""
    ram: str = ""
    complete: bool | None = None


def snapshot_of(texts: MonitorTexts, *, source: str, version: str = "") -> Snapshot:
    """Return the snapshot that the texts give; what they leave open is concluded.

    Raises:
        PeerError: a text is malformed, or contradicts itself; says the line.
    """
    return rebuilt_of(texts, source=source, version=version).snapshot


def rebuilt_of(texts: MonitorTexts, *, source: str, version: str = "") -> Rebuilt:
    """Do as :func:`snapshot_of`, and tell whether trees and views show the same."""
    parts = [read_mtree(text) for text in (texts.trees, texts.views) if text]
    snapshot = assemble(*parts, source=source, version=version, complete=texts.complete)
    if texts.ram:
        snapshot = replace(snapshot, ram_blocks=read_ramblock(texts.ram))
    return rebuild_beside_views(snapshot) if snapshot.regions else Rebuilt(snapshot, agrees=False)


def snapshot_of_pasted(text: str, *, source: str) -> Snapshot:
    """Return the snapshot that a text gives in the form in which somebody pasted it.

    Raises:
        PeerError: it cannot be understood, or contradicts itself; says the line.
    """
    pasted = read_pasted(text)
    snapshot = assemble(pasted.text, source=source, partial=True)
    snapshot = rebuild(snapshot) if snapshot.regions else snapshot
    return replace(snapshot, notes=pasted.notes + unshown_note(snapshot))
