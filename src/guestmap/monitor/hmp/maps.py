"""``info mtree`` and ``info ramblock``: the memory map as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.inspect.map.snapshot import Snapshot
from guestmap.inspect.text.mtree import write_flat, write_live_flat, write_live_mtree
from guestmap.machine.tree.lookup import parent_words
from guestmap.monitor.hmp.numbers import size_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import MemoryRegion
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext
    from guestmap.qom import Object


def info_mtree(context: HmpContext, values: Values) -> str:
    """Show the region trees, or with ``-f`` the flat views."""
    memory = context.board.system
    owner = _owner_words(context) if values.get("owner") else None
    if not values.get("flat"):
        return write_live_mtree(memory, owner=owner, disabled=bool(values.get("disabled")))
    if not values.get("dispatch"):
        return write_live_flat(memory, owner=owner)
    snapshot = Snapshot.of(memory, owner=owner or _nobody)
    return write_flat(snapshot, owner=owner is not None, dispatch=True)


def _owner_words(context: HmpContext) -> Callable[[MemoryRegion], str]:
    """Return what says a region's owner, in QEMU's words."""
    tree = context.board.tree
    said: dict[Object | None, str] = {}  # for one command: an owner has many regions

    def words(region: MemoryRegion) -> str:
        found = tree.region(region)
        if found is None:
            for _ in tree.root.walk():
                pass  # what nobody has looked at yet has no objects of its regions
            found = tree.region(region)
        parent = None if found is None else found.parent
        if parent not in said:
            said[parent] = parent_words(parent)
        return said[parent]

    return words


def _nobody(_region: MemoryRegion) -> None:
    """Say nothing of an owner."""


def info_ramblock(context: HmpContext, _values: Values) -> str:
    """Show the blocks of RAM, the largest first, the oldest first among equals."""
    lines = [f"{'Block Name':>24} {'PSize':>8}  {'Offset':>18} {'Used':>18} {'Total':>18}\n"]
    lines += [
        f"{block.name:>24} {size_text(block.page_size):>8}  0x{block.offset:016x}"
        f" 0x{block.used_length:016x} 0x{block.max_length:016x}\n"
        for block in context.board.system.ram_blocks
    ]
    return "".join(lines)
