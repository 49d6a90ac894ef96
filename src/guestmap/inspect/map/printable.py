"""A snapshot with every foreign text in it made printable, for those who draw or print it whole."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from guestmap.base import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.map.snapshot import Snapshot, ViewInfo


def with_printable_texts(snapshot: Snapshot) -> Snapshot:
    """Return the snapshot with visible stand-ins in all its texts; itself, where none is needed.

    Names stay what identifies things in the map as given: this is for showing it only.
    """
    if all(text.isprintable() for text in _texts(snapshot)):
        return snapshot
    shown: Snapshot = _shown(snapshot)
    return shown


def _texts(snapshot: Snapshot) -> Iterator[str]:
    yield from (snapshot.source, snapshot.version)
    for region in snapshot.regions:
        yield region.name
        yield region.owner or ""
    for space in snapshot.address_spaces:
        yield space.name
    for block in snapshot.ram_blocks:
        yield block.name
    for view in snapshot.views:
        yield from _texts_of_view(view)


def _texts_of_view(view: ViewInfo) -> Iterator[str]:
    yield view.root or ""
    for user in view.users:
        yield from (user.name, user.root, user.alias or "")
    for each in view.ranges:
        yield each.name
        yield each.owner or ""
        yield from each.accelerator
    for section in view.dispatch.sections if view.dispatch else ():
        yield from (section.name, section.alias or "", *section.marks)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, tuple):
        return tuple(_shown(each) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        texts = {each.name: _shown(getattr(value, each.name)) for each in fields(value)}
        return replace(value, **texts)
    if isinstance(value, msgspec.Struct):
        texts = {name: _shown(getattr(value, name)) for name in value.__struct_fields__}
        return msgspec.structs.replace(value, **texts)
    return value
