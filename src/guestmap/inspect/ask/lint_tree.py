"""Checks of the trees: what reaches too far."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import exact_size
from guestmap.inspect.ask.findings import Hit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect.ask.findings import Subject


def beyond_target(subject: Subject) -> Iterator[Hit]:
    """Find aliases that are longer than what they show."""
    regions = subject.snapshot.regions
    for alias in regions:
        if alias.alias is None or not alias.enabled:
            continue
        target = regions[alias.alias]
        if alias.alias_offset + alias.size > target.size:
            start = max(target.size - alias.alias_offset, 0)
            yield Hit(
                f"{alias.name} shows {target.name} from 0x{alias.alias_offset:x} on for"
                f" {exact_size(alias.size)}, and that has {exact_size(target.size)}: the rest is"
                " empty",
                start, alias.size, alias, target,
            )  # fmt: skip


def beyond_container(subject: Subject) -> Iterator[Hit]:
    """Find regions that what holds them cuts off."""
    regions = subject.snapshot.regions
    for holder in regions:
        for child in (regions[c] for c in holder.children):
            if child.enabled and child.addr + child.size > holder.size:
                yield Hit(
                    f"{child.name} reaches to 0x{child.addr + child.size:x} in {holder.name},"
                    f" which ends at 0x{holder.size:x}: the rest is cut off",
                    max(child.addr, holder.size), child.addr + child.size, child, holder,
                )  # fmt: skip
