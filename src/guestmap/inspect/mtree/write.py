"""Write ``info mtree`` (flags ``-o`` and ``-D``) from a snapshot, as QEMU 7.2 does.

The order of everything inside a block is QEMU's. The order of the ``address-space`` blocks is not
defined there (it follows a hash of pointers); here it is that of the address spaces' creation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.inspect.snapshot import RegionInfo, Snapshot

INDENT = "  "
OVERFLOW = "[DETECTED OVERFLOW!] "

_MASK = (1 << 64) - 1


def write_mtree(snapshot: Snapshot, *, owner: bool = False, disabled: bool = False) -> str:
    """Return the region trees as text, every line ended by a newline.

    Args:
        snapshot: whose trees.
        owner: append who owns each region (``-o``), where the snapshot knows it.
        disabled: print disabled regions too (``-D``); without it they are left out, but what is
            below them is printed all the same, one level deeper.
    """
    writer = _Writer(snapshot, owner=owner, disabled=disabled)
    for root, names in snapshot.roots():
        writer.lines += [f"address-space: {name}" for name in sorted(names, key=_strcmp)]
        writer.tree(root)
    for target in writer.targets:  # grows while aliases are met
        writer.lines.append(f"memory-region: {snapshot.regions[target].name}")
        writer.tree(target)
    return "".join(f"{line}\n" for line in writer.lines)


def last_byte(size: int) -> int:
    """Return what QEMU adds to a start to print the end: size - 1, and 0 for size 0."""
    return size - 1 if size else 0


def printed_children(snapshot: Snapshot, region: RegionInfo) -> list[RegionInfo]:
    """Return children by address, then priority (highest first), then list order."""
    children = [snapshot.regions[child] for child in region.children]
    return sorted(children, key=lambda child: (child.addr, -child.priority))


class _Writer:
    def __init__(self, snapshot: Snapshot, *, owner: bool, disabled: bool) -> None:
        self.snapshot = snapshot
        self.owner = owner
        self.disabled = disabled
        self.lines: list[str] = []
        self.targets: list[int] = []
        self._queued: set[int] = set()

    def tree(self, root: int) -> None:
        """Append a tree's lines and the blank line after it."""
        pending = ""
        stack = [(self.snapshot.regions[root], 1, 0)]
        while stack:
            region, level, base = stack.pop()
            start = (base + region.addr) & _MASK
            end = (start + last_byte(region.size)) & _MASK
            if start < base or end < start:
                pending += OVERFLOW  # printed even where the line itself is not
            if region.alias is not None and region.alias not in self._queued:
                self._queued.add(region.alias)
                self.targets.append(region.alias)
            if region.enabled or self.disabled:
                self.lines.append(pending + INDENT * level + self._line(region, start, end))
                pending = ""
            children = printed_children(self.snapshot, region)
            stack.extend((child, level + 1, start) for child in reversed(children))
        self.lines.append(pending)

    def _line(self, region: RegionInfo, start: int, end: int) -> str:
        kind = f"nv-{region.type}" if region.nonvolatile else region.type
        name = region.name
        if region.alias is not None:
            last = (region.alias_offset + last_byte(region.size)) & _MASK
            target = self.snapshot.regions[region.alias].name
            name = f"alias {name} @{target} {region.alias_offset:016x}-{last:016x}"
        return (
            f"{start:016x}-{end:016x} (prio {region.priority}, {kind}): {name}"
            f"{'' if region.enabled else ' [disabled]'}"
            f"{f' {region.owner}' if self.owner and region.owner else ''}"
        )


def _strcmp(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
