"""Write ``info mtree`` (flags ``-o`` and ``-D``), as a version of QEMU does.

From a snapshot in any dialect, or straight from our own model's regions, as QEMU 7.2 does.

The order of everything inside a block is QEMU's. The order of the ``address-space`` blocks is not
defined there (it follows a hash of pointers); here it is that of the address spaces' creation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

from guestmap.inspect.text.mtree.dialects import OURS, Dialect, dialect_of

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionInfo, Snapshot
    from guestmap.memory import MemoryRegion, MemorySystem

INDENT = "  "
OVERFLOW = "[DETECTED OVERFLOW!] "

_MASK = (1 << 64) - 1


def write_mtree(
    snapshot: Snapshot,
    *,
    owner: bool = False,
    disabled: bool = False,
    dialect: Dialect | None = None,
) -> str:
    """Return the region trees as text, every line ended by a newline.

    Args:
        snapshot: whose trees.
        dialect: which version's; None: that of the snapshot's source.
        owner: append who owns each region (``-o``), where the snapshot knows it.
        disabled: print disabled regions too (``-D``); without it they are left out, but what is
            below them is printed all the same, one level deeper.
    """
    regions, contained = snapshot.regions, snapshot.containers
    form = dialect or dialect_of(snapshot)

    def kind(region: RegionInfo) -> str:
        behind = region
        for _ in regions:  # an alias has its target's word
            if behind.alias is None:
                break
            behind = regions[behind.alias]
        return form.word(
            region.type,
            parentless=behind.id not in contained,
            nonvolatile=region.nonvolatile,
            readonly=region.readonly,
        )

    access: _Access[RegionInfo] = _Access(
        kind=kind,
        children=lambda region: [regions[child] for child in region.children],
        target=lambda region: None if region.alias is None else regions[region.alias],
        owner=(lambda region: region.owner) if owner else None,
    )
    roots = ((regions[root], names) for root, names in snapshot.roots())
    return _Writer(access, form, disabled=disabled).text(roots)


def write_live_mtree(
    memory: MemorySystem,
    *,
    owner: Callable[[MemoryRegion], str | None] | None = None,
    disabled: bool = False,
) -> str:
    """Return the text of ``write_mtree`` for the regions of ``memory`` as they are now.

    Args:
        memory: what to look at; nobody may change it meanwhile.
        owner: returns what to append of a region's owner (``-o``); None: nothing.
        disabled: print disabled regions too (``-D``).
    """
    groups: dict[MemoryRegion, list[str]] = {}
    for space in memory.address_spaces:
        groups.setdefault(space.root, []).append(space.name)
    access: _Access[MemoryRegion] = _Access(
        kind=lambda region: f"{'nv-' if region.nonvolatile else ''}{region.mtree_type()}",
        children=lambda region: region.subregions,
        target=lambda region: region.alias,
        owner=owner,
    )
    return _Writer(access, OURS, disabled=disabled).text(groups.items())


def last_byte(size: int) -> int:
    """Return what QEMU adds to a start to print the end: size - 1, and 0 for size 0."""
    return size - 1 if size else 0


class _Node(Protocol):
    """What a region of a snapshot and one of our model have in common."""

    @property
    def name(self) -> str: ...
    @property
    def addr(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def priority(self) -> int: ...
    @property
    def enabled(self) -> bool: ...
    @property
    def alias_offset(self) -> int: ...


_N = TypeVar("_N", bound=_Node)


class _Access(NamedTuple, Generic[_N]):
    """How the rest is found: the type's word, children in list order, alias target, owner."""

    kind: Callable[[_N], str]
    children: Callable[[_N], Sequence[_N]]
    target: Callable[[_N], _N | None]
    owner: Callable[[_N], str | None] | None


class _Writer(Generic[_N]):
    def __init__(self, access: _Access[_N], form: Dialect, *, disabled: bool) -> None:
        self.access = access
        self.form = form
        self.disabled = disabled or not form.hides_disabled
        self.lines: list[str] = []
        self.targets: list[_N] = []
        self._queued: set[int] = set()

    def text(self, roots: Iterable[tuple[_N, list[str]]]) -> str:
        """Return all blocks: the roots with the names of their address spaces, alias targets."""
        space, section = ("address-space: ", "memory-region: ") if self.form.tagged else ("", "")
        for root, names in roots:
            headings = [space + name for name in sorted(names, key=_strcmp)]
            for group in [headings] if self.form.shares_trees else [[each] for each in headings]:
                self.lines += group
                self._tree(root)
        if not self.form.tagged:
            self.lines.append("aliases")
        for target in self.targets:  # grows while aliases are met
            self.lines.append(section + target.name)
            self._tree(target)
        return "\n".join([*self.lines, ""])

    def _tree(self, root: _N) -> None:
        """Append a tree's lines and the blank line after it."""
        pending = ""
        stack = [(root, int(self.form.tagged), 0)]
        while stack:
            region, level, base = stack.pop()
            start = (base + region.addr) & _MASK
            end = (start + last_byte(region.size)) & _MASK
            if not region.enabled and self.form.hides_below:
                continue
            if start < base or end < start:
                pending += OVERFLOW  # printed even where the line itself is not
            target = self.access.target(region)
            if target is not None and id(target) not in self._queued:
                self._queued.add(id(target))
                self.targets.append(target)
            if region.enabled or self.disabled:
                self.lines.append(pending + INDENT * level + self._line(region, target, start, end))
                pending = ""
            for child in self._last_first(region):
                stack.append((child, level + 1, start))
        if self.form.tagged:
            self.lines.append(pending)

    def _last_first(self, region: _N) -> Iterator[_N]:
        """Yield children, last printed first: by address, priority downwards, list order."""
        children = self.access.children(region)
        if len(children) > 1:
            children = sorted(children, key=lambda child: (child.addr, -child.priority))
        return reversed(children)

    def _line(self, region: _N, target: _N | None, start: int, end: int) -> str:
        kind, name = self.access.kind(region), region.name
        if target is not None:
            last = (region.alias_offset + last_byte(region.size)) & _MASK
            name = f"alias {name} @{target.name} {region.alias_offset:016x}-{last:016x}"
        owner = self.access.owner(region) if self.access.owner is not None else None
        return (
            f"{start:016x}-{end:016x}"
            f" (prio {region.priority}{', ' * bool(kind)}{kind}): {name}"
            f"{'' if region.enabled else ' [disabled]'}{f' {owner}' if owner else ''}"
        )


def _strcmp(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
