"""A snapshot out of the texts that QEMU's monitor gives for one machine at one moment."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from guestmap.base import PeerError
from guestmap.inspect.map.circles import endless, find_circle
from guestmap.inspect.map.snapshot import Snapshot
from guestmap.inspect.map.unshown import unshown_note
from guestmap.inspect.text.mtree import assemble, beside, read_mtree
from guestmap.inspect.text.pasted import read_pasted
from guestmap.inspect.text.ramblock import read_ramblock
from guestmap.inspect.text.rebuild import Rebuilt, rebuild, rebuild_beside_views

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RamBlockInfo


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
    reader = TextsReader(complete=texts.complete)
    reader.take_trees(texts.trees)
    reader.take_views(texts.views)
    reader.take_ram(texts.ram)
    return reader.rebuilt(source=source, version=version).snapshot


class TextsReader:
    """Understands texts one by one, each as it comes: what can be done with one alone is done.

    Args:
        complete: see :class:`MonitorTexts`.

    Attributes:
        texts: those that came.
    """

    def __init__(self, *, complete: bool | None = None) -> None:
        self.texts = MonitorTexts(complete=complete)
        self._map = Snapshot()
        self._ram: tuple[RamBlockInfo, ...] = ()

    def take_trees(self, text: str) -> None:
        """Read the trees, before the views; "" is none.

        Raises:
            PeerError: it is malformed, or contradicts itself; says the line.
        """
        self.texts = replace(self.texts, trees=text)
        if text:
            self._map = assemble(read_mtree(text), complete=self.texts.complete)

    def take_views(self, text: str) -> None:
        """Read the views; "" is none.

        Raises:
            PeerError: as :meth:`take_trees`.
        """
        self.texts = replace(self.texts, views=text)
        if text:
            self._map = beside(self._map, assemble(read_mtree(text), complete=self.texts.complete))

    def take_ram(self, text: str) -> None:
        """Read the RAM blocks; "" is none.

        Raises:
            PeerError: as :meth:`take_trees`.
        """
        self.texts = replace(self.texts, ram=text)
        self._ram = read_ramblock(text) if text else ()

    def rebuilt(self, *, source: str, version: str = "") -> Rebuilt:
        """Conclude what the texts leave open, and tell whether trees and views show the same."""
        snapshot = replace(self._map, source=source, version=version, ram_blocks=self._ram)
        if not snapshot.regions:
            return Rebuilt(snapshot, agrees=False)
        return rebuild_beside_views(snapshot)


def snapshot_of_pasted(text: str, *, source: str) -> Snapshot:
    """Return the snapshot that a text gives in the form in which somebody pasted it.

    Raises:
        PeerError: it cannot be understood, or contradicts itself; says the line.
    """
    pasted = read_pasted(text)
    snapshot = assemble(pasted.text, source=source, partial=True)
    snapshot = rebuild(snapshot) if snapshot.regions else snapshot
    circle = find_circle(snapshot.regions)
    if circle:
        raise PeerError(f"info mtree text: {circle[0].name!r} {endless(circle)}")
    return replace(snapshot, notes=pasted.notes + unshown_note(snapshot))
