"""Reading the map of a machine that somebody else runs.

The map comes as several answers, and a running guest may change it between two of them. Where the
trees show what the flat views do, all belong together; else the trees are asked for again: where
they are as they were before the views, it is our reading of those that differs. All questions go
out at once, and the trees, which are most work, are worked on while QEMU writes the views.

Which flags of ``info mtree`` a QEMU has is found by trying, the most telling first: an old one
answers an unknown flag with a complaint, and is asked for less.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

from guestmap.base import UnsupportedError
from guestmap.inspect.text.from_text import MonitorTexts, TextsReader, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

    from guestmap.inspect.map.snapshot import Snapshot
    from guestmap.inspect.text.rebuild import Rebuilt
    from guestmap.qmp.client.monitor import Monitor, MonitorEvent

_TREES = ("info mtree -o -D", "info mtree -o", "info mtree")
_VIEWS = ("info mtree -f -o", "info mtree -f")
_VIEWS_DISPATCH = ("info mtree -f -d -o", "info mtree -f -d", *_VIEWS)
_RAM = ("info ramblock",)  # since 2.10
_COMPLAINTS = ("mtree: ", "info: ", "ramblock: ", "unknown command: ", "invalid command")
_Questions = tuple[tuple[str, ...], ...]

ATTEMPTS = 8
"""How often the map is read again because it changed meanwhile."""


@dataclass(frozen=True, slots=True)
class MapReading:
    """The map as it was read.

    Attributes:
        texts: word for word.
        snapshot: what they say.
        steady: whether they are of one moment.
    """

    texts: MonitorTexts
    snapshot: Snapshot
    steady: bool

    def same_map(self, other: MapReading) -> bool:
        """Tell whether the other reading shows the same map: no need to look closer."""
        mine, others = self.texts, other.texts
        return _same(mine.views, others.views) and _same(mine.trees, others.trees)


class Attachment:
    """A session with somebody's machine; a context manager that lets go of it at the end.

    Args:
        monitor: what is asked; it is closed with the attachment.
    """

    def __init__(self, monitor: Monitor) -> None:
        self.monitor = monitor
        self._known: dict[tuple[str, ...], str | None] = {}
        self._version: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.monitor.close()

    def close(self) -> None:
        """Let go of the machine; it may be called twice."""
        self.monitor.close()

    @property
    def source(self) -> str:
        """What names the machine on the command line."""
        return self.monitor.source

    @property
    def version(self) -> str:
        """QEMU's version, for example ``7.2.22``; of our machine ``guestmap 0.1.0``."""
        if self._version is None:
            self._version = self.monitor.version()
        return self._version

    def events(self) -> list[MonitorEvent]:
        """Return what the machine told unasked since the last call."""
        return self.monitor.events()

    def snapshot(self, *, trees: bool = True, dispatch: bool = False) -> Snapshot:
        """Return the machine's map as it is now.

        Args:
            trees: false: the flat views alone will do, which is one question and no conclusions.
            dispatch: ask for the dispatch trees of the views too.

        Raises:
            PeerError: the answers are not what QEMU gives, or the machine has gone.
            UnsupportedError: this QEMU has no ``info mtree``.
        """
        forms = _VIEWS_DISPATCH if dispatch else _VIEWS
        if not trees and (views := self._ask(forms)):
            texts = MonitorTexts(views=views)
            return snapshot_of(texts, source=self.source, version=self.version)
        return self.read(dispatch=dispatch).snapshot

    def read(self, *, dispatch: bool = False) -> MapReading:
        """Ask for the map, again where it changed meanwhile, and return the answers."""
        forms = _VIEWS_DISPATCH if dispatch else _VIEWS
        reader, rebuilt = self._look((_TREES, _RAM, forms))
        for _ in range(ATTEMPTS):
            texts = reader.texts
            if rebuilt.agrees or _same(texts.trees, after := self._ask(_TREES) or ""):
                return MapReading(texts, rebuilt.snapshot, steady=True)
            reader, rebuilt = self._look((_RAM, forms), after)
        source = f"{rebuilt.snapshot.source} (it changed while it was read)"
        return MapReading(reader.texts, replace(rebuilt.snapshot, source=source), steady=False)

    def _look(self, questions: _Questions, trees: str = "") -> tuple[TextsReader, Rebuilt]:
        """Ask, and understand what came; the trees are the first question unless given."""
        # A QEMU without -D is one that prints disabled regions unasked.
        reader = TextsReader(complete=True)
        texts = self._ask_each(*questions)
        reader.take_trees(trees or next(texts))
        if not reader.texts.trees:
            raise UnsupportedError(f"{self.source}: this QEMU has no 'info mtree'")
        ram, views = texts
        reader.take_ram(ram)
        reader.take_views(views)
        return reader, reader.rebuilt(source=self.source, version=self.version)

    def shows(self, reading: MapReading) -> bool:
        """Tell whether the map is still as it was read: half of the questions of reading it."""
        views, trees = self._ask_each(_VIEWS, _TREES)
        return _same(views, reading.texts.views) and _same(trees, reading.texts.trees)

    def _ask_each(self, *questions: tuple[str, ...]) -> Iterator[str]:
        """Yield what :meth:`_ask` would return of each, or ""; all are sent at once if they can."""
        lines = [self._known.get(forms, forms[0]) for forms in questions]
        known = [line for line in lines if line is not None]
        done = 0
        if len(known) == len(lines):
            for text in self.monitor.human_each(known):
                if text.startswith(_COMPLAINTS):
                    break
                self._known[questions[done]] = known[done]
                done += 1
                yield text
        for forms in questions[done:]:
            yield self._ask(forms) or ""

    def _ask(self, forms: tuple[str, ...]) -> str | None:
        """Return the answer to the first of these lines that this QEMU knows; None: to none."""
        if forms in self._known:
            known = self._known[forms]
            return None if known is None else self.monitor.human(known)
        for line in forms:
            text = self.monitor.human(line)
            if not text.startswith(_COMPLAINTS):
                self._known[forms] = line
                return text
        self._known[forms] = None
        return None


def _same(one: str, other: str) -> bool:
    """Tell whether two texts show the same, if not in the same order."""
    return one == other or _blocks(one) == _blocks(other)


def _blocks(text: str) -> list[str]:
    """Return the blocks of ``info mtree`` in an order of their own: QEMU's is that of pointers."""
    blocks = (block.split("\n", 1) for block in text.strip().split("\n\n"))
    return sorted(
        rest[0] if rest and heading.startswith("FlatView #") else "\n".join((heading, *rest))
        for heading, *rest in blocks
    )
