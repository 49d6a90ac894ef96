"""What the checks of a map look at, what they find, and how they say it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from guestmap.base import MIB
from guestmap.base.addrrange import merged
from guestmap.inspect.ask.spaces import NamedSpace, Spaces
from guestmap.inspect.map.report import RegionRef, Report
from guestmap.inspect.map.shown import Shown, shown
from guestmap.inspect.map.views import physical_root
from guestmap.inspect.map.ways import Way, walk

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RangeInfo, RegionInfo, Snapshot
    from guestmap.inspect.map.spans import Span

Severity = Literal["error", "warning", "info"]
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "info")
"""The worst first."""


@dataclass(frozen=True, slots=True)
class LintOptions:
    """What the checks hold a map to.

    Attributes:
        phys_bits: width of the guest CPU's physical addresses; None: not checked.
        page_size: the host's, in bytes; KVM maps whole pages.
        kvm_slots: how many memory slots KVM has (KVM_CAP_NR_MEMSLOTS).
        vhost_slots: how many the vhost backends have (8 in older vhost-user backends).
        memory_block: what the guest can switch on and off at once (Linux on x86: 128 MiB).
        spaces: address spaces whose memory KVM and vhost map.
        ignore: codes of checks that are left out.
    """

    phys_bits: int | None = None
    page_size: int = 4096
    kvm_slots: int = 32764
    vhost_slots: int = 509
    memory_block: int = 128 * MIB
    spaces: tuple[str, ...] = ("memory",)
    ignore: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Finding(Report):
    """One thing that is wrong or suspicious.

    Attributes:
        code: the check.
        space: the address space that it shows in; "" for the tree itself.
        start, end: addresses in that space, or in the region of a finding about the tree.
        regions: who takes part, the one to look at first.
    """

    code: str
    severity: Severity
    space: str
    start: int
    end: int
    regions: tuple[RegionRef, ...]
    message: str
    remedy: str


class Hit:
    """What a check reports: the lint adds code, severity and remedy."""

    __slots__ = ("end", "message", "regions", "space", "start")

    def __init__(
        self, message: str, start: int, end: int, *regions: RegionInfo, space: str = ""
    ) -> None:
        self.message = message
        self.start = start
        self.end = end
        self.regions = regions
        self.space = space


class Subject:
    """A snapshot with what several checks need of it, worked out once."""

    def __init__(self, snapshot: Snapshot, options: LintOptions) -> None:
        self.snapshot = snapshot
        self.options = options
        self.spaces = Spaces(snapshot)

    @cached_property
    def roots(self) -> dict[int, str]:
        """Each region that is rendered, and the first address space that shows it.

        The address spaces that KVM maps come first.
        """
        found: dict[int, str] = {}
        mapped = [space.name for space in self._mapped]
        for space in sorted(self.spaces.all, key=lambda each: each.name not in mapped):
            root = None if space.root is None else physical_root(self.snapshot, space.root)
            if root is not None:
                found.setdefault(root, space.name)
        return found

    @cached_property
    def _mapped(self) -> list[NamedSpace]:
        """The address spaces that KVM and vhost map; else a map's only one, whatever it is called.

        Of several that have no heading, any may be one of those; copies count once.
        """
        every = self.spaces.all
        found = [each for each in every if each.plain in self.options.spaces]
        if found or len(every) == 1:
            return found or list(every)
        lone = {self.spaces.ranges(each): each for each in reversed(every) if each.is_lone}
        return list(reversed(lone.values()))

    @cached_property
    def views(self) -> dict[int, list[Shown]]:
        """What each of the rendered regions shows."""
        return {root: shown(self.snapshot, root) for root in self.roots}

    @cached_property
    def seen(self) -> dict[tuple[int, int], list[Span]]:
        """By region and the address of its offset 0: where anybody sees it so, in any way.

        System management memory hides the display from a CPU in that mode only: nothing is wrong.
        """
        found: dict[tuple[int, int], list[Span]] = {}
        for view in self.views.values():
            for start, end, way in view:
                found.setdefault((way.region.id, way.base), []).append((start, end))
        return {key: merged(spans) for key, spans in found.items()}

    @cached_property
    def ways(self) -> dict[int, list[Way]]:
        """The enabled ways below each rendered region whose ends answer, in rendering order."""
        return {
            root: [way for way in walk(self.snapshot, root, disabled=False) if way.answers]
            for root in self.roots
        }

    @cached_property
    def mapped(self) -> dict[str, tuple[RangeInfo, ...]]:
        """The views of the address spaces whose memory KVM and vhost map."""
        return {space.name: self.spaces.ranges(space) for space in self._mapped}

    def region_of(self, shown_range: RangeInfo) -> tuple[RegionInfo, ...]:
        """Return the region that answers in a range, where it is known."""
        known = shown_range.region
        return () if known is None else (self.snapshot.regions[known],)
