"""Maps of one machine, one after another: what is the same in them is kept once."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot, ViewInfo

_Value = TypeVar("_Value")


class Sharing:
    """Makes snapshots share their parts: regions, ranges, views, and lists of them.

    A part is kept as long as this is: it is for maps that are themselves kept.
    """

    def __init__(self) -> None:
        self._known: dict[object, object] = {}

    def shared(self, snapshot: Snapshot) -> Snapshot:
        """Return a snapshot that is equal, of parts that snapshots before it had."""
        return replace(
            snapshot,
            regions=self._all(snapshot.regions),
            address_spaces=self._all(snapshot.address_spaces),
            views=self._all(tuple(self._view(each) for each in snapshot.views)),
            ram_blocks=self._all(snapshot.ram_blocks),
        )

    def _view(self, view: ViewInfo) -> ViewInfo:
        return replace(view, users=self._all(view.users), ranges=self._all(view.ranges))

    def _all(self, parts: tuple[_Value, ...]) -> tuple[_Value, ...]:
        return self._one(tuple(self._one(each) for each in parts))

    def _one(self, value: _Value) -> _Value:
        known: _Value = self._known.setdefault((type(value), value), value)  # type: ignore[assignment]
        return known
