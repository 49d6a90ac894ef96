"""Short texts of ``info mtree``: one line for each region."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from guestmap.inspect.map.views import flat
from guestmap.inspect.text.mtree import assemble, read_mtree
from guestmap.inspect.text.rebuild import rebuild

if TYPE_CHECKING:
    from guestmap.inspect import RegionInfo, Snapshot

ALL = 1 << 64


def line(
    level: int,
    start: int,
    size: int,
    name: str,
    *,
    priority: int = 0,
    type: str = "i/o",  # noqa: A002
) -> str:
    """Return a line of a tree."""
    return f"{'  ' * level}{start:016x}-{start + size - 1:016x} (prio {priority}, {type}): {name}\n"


def alias(
    level: int, start: int, size: int, name: str, target: str, offset: int = 0, *,
    priority: int = 0, type: str = "i/o", disabled: bool = False,  # noqa: A002
) -> str:  # fmt: skip
    window = f"{offset:016x}-{offset + size - 1:016x}"
    text = f"alias {name} @{target} {window}{' [disabled]' if disabled else ''}"
    return line(level, start, size, text, priority=priority, type=type)


def tree(*lines: str, space: str = "memory", root: str = "system", size: int = ALL) -> str:
    """Return an address space's block: a root, and the lines below it."""
    return f"address-space: {space}\n{line(1, 0, size, root)}{''.join(lines)}\n"


def section(name: str, *lines: str) -> str:
    return f"memory-region: {name}\n{''.join(lines)}\n"


def view(*lines: str, spaces: tuple[tuple[str, str], ...] = (("memory", "system"),),
         root: str = "system") -> str:  # fmt: skip
    """Return a flat view's block."""
    users = "".join(f' AS "{name}", root: {of}\n' for name, of in spaces)
    ranges = "".join(lines) or "  No rendered FlatView\n"
    return f"FlatView #0\n{users} Root memory region: {root}\n{ranges}\n"


def from_texts(tree_text: str, flat_text: str = "", *, complete: bool = True) -> Snapshot:
    """Return the snapshot rebuilt from a tree's text, and a flat view's where there is one."""
    texts = [read_mtree(text) for text in (tree_text, flat_text) if text]
    return rebuild(assemble(*texts, complete=complete))


def named(snapshot: Snapshot, name: str) -> RegionInfo:
    (found,) = [region for region in snapshot.regions if region.name == name]
    return found


def sureness(snapshot: Snapshot, name: str, fact: str) -> str:
    """Return how sure a fact is; ``proven`` where it is not inferred."""
    region = named(snapshot, name)
    return dict(zip(region.inferred, region.sureness, strict=True)).get(fact, "proven")


def shows(snapshot: Snapshot, space: int = 0) -> list[tuple[int, str]]:
    """Return (start, name) of each range that an address space shows."""
    ranges = flat(replace(snapshot, views=()), snapshot.address_spaces[space].root)
    return [(each.start, each.name) for each in ranges]


def shows_sized(snapshot: Snapshot, space: int = 0) -> list[tuple[int, int, str]]:
    """Return (start, size, name) of each range that an address space shows."""
    ranges = flat(replace(snapshot, views=()), snapshot.address_spaces[space].root)
    return [(each.start, each.size, each.name) for each in ranges]
