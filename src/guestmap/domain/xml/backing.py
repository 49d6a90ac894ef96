"""``<memoryBacking>`` and ``<numatune>``: where a guest's memory comes from on the host."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import refusal
from guestmap.domain.xml.numbers import kib_of, number_set, unsigned

if TYPE_CHECKING:
    from collections.abc import Mapping

    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.tree import Element

MEMFD, FILE = "memfd", "file"
_KNOWN = {
    "source/type": ("anonymous", FILE, MEMFD),
    "access/mode": ("shared", "private"),
    "allocation/mode": ("immediate", "ondemand"),
}
_MODES = ("strict", "preferred", "interleave", "restrictive")
SYSTEM_PAGE = 4
"""KiB of an ordinary page."""


@dataclass(frozen=True, slots=True)
class HugePages:
    """One ``<page>``: its size in KiB (None: the host's usual huge page), for which guest nodes.

    No nodes: for all that have no other.
    """

    size: int | None = None
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class HostNodes:
    """Which of the host's NUMA nodes memory comes from, and how strictly (``strict``, ...)."""

    mode: str
    nodes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Backing:
    """What a definition says of all its memory.

    Attributes:
        pages: of huge pages.
        source, access: as written; None: not said.
        immediate, threads: whether all of it is allocated at the start, and by how many threads.
        merges: the host may share pages that are equal. is_locked: none is swapped.
        discard: its content need not outlive the machine.
        nodes: for all memory, and by_cell: for that of one guest node.
    """

    pages: tuple[HugePages, ...] = ()
    source: str | None = None
    access: str | None = None
    immediate: bool = False
    threads: int | None = None
    merges: bool = True
    is_locked: bool = False
    discard: bool | None = None
    nodes: HostNodes | None = None
    by_cell: Mapping[int, HostNodes] | None = None

    @property
    def is_said(self) -> bool:
        """Whether it decides how a backend of RAM is made."""
        return self != Backing(merges=self.merges, is_locked=self.is_locked)

    def page(self, cell: int | None) -> HugePages | None:
        """Return the pages of a guest node; None: ordinary ones."""
        if not self.pages:
            return None
        own = [each for each in self.pages if (cell or 0) in each.nodes]
        return next(iter(own or [each for each in self.pages if not each.nodes]), None)

    def host_nodes(self, cell: int | None) -> HostNodes | None:
        """Return where the memory of a guest node comes from; None: from anywhere."""
        return (self.by_cell or {}).get(0 if cell is None else cell, self.nodes)


def backing_of(root: Element, cells: int, dialect: LibvirtDialect) -> Backing:
    """Return what a ``<domain>`` says of its memory.

    Args:
        root: the element.
        cells: how many NUMA nodes the guest has.
        dialect: which libvirt's rules.

    Raises:
        DomainError: something in it has no meaning.
    """
    found, tune = root.find("memoryBacking"), root.find("numatune")
    nodes = None if tune is None else _host_nodes(tune.find("memory"), dialect)
    by_cell = {} if tune is None else _by_cell(tune, cells, dialect)
    if found is None:
        return Backing(nodes=nodes, by_cell=by_cell or None)
    source, access, mode = (_chosen(found, path, dialect) for path in _KNOWN)
    allocation = found.find("allocation")
    threads = None if allocation is None else unsigned(allocation, "threads", dialect)
    pages = tuple(_pages(found.find("hugepages"), cells, dialect))
    if pages and source == "anonymous":
        raise refusal(dialect, "pages-anonymous", at=found, remedy="leave <source> out")
    return Backing(
        pages=pages,
        source=source,
        access=access,
        immediate=mode == "immediate",
        threads=threads,
        merges=found.find("nosharepages") is None,
        is_locked=found.find("locked") is not None,
        discard=True if found.find("discard") is not None else None,
        nodes=nodes,
        by_cell=by_cell or None,
    )


def _chosen(found: Element, path: str, dialect: LibvirtDialect) -> str | None:
    name, attribute = path.split("/")
    element = found.find(name)
    value = None if element is None else element.get(attribute)
    if value is not None and value not in _KNOWN[path]:
        raise refusal(dialect, "bad-backing", path=path, value=value, at=element,
                      remedy=f"write one of {', '.join(_KNOWN[path])}")  # fmt: skip
    return value


def _pages(element: Element | None, cells: int, dialect: LibvirtDialect) -> list[HugePages]:
    if element is None:
        return []
    found = [_page(each, cells, dialect) for each in element.every("page")]
    masters = [each for each in found if not each.nodes]
    if len(masters) > 1:
        raise refusal(dialect, "two-pages", first=masters[1].size, second=masters[0].size,
                      at=element, remedy="say for which nodes: nodeset=")  # fmt: skip
    return found or [HugePages()]


def _page(element: Element, cells: int, dialect: LibvirtDialect) -> HugePages:
    told = element.get("size")
    if told is None:
        raise refusal(dialect, "no-page-size", at=element, remedy="write size='2' unit='MiB'")
    size = kib_of(told, element.get("unit"), "size", dialect, element)
    mask = element.get("nodeset")
    nodes = number_set(mask, dialect) if mask else ()
    for node in nodes:
        if node >= max(cells, 1):
            raise refusal(dialect, "page-node", node=node, at=element)
    return HugePages(size, nodes if cells else ())


def _host_nodes(element: Element | None, dialect: LibvirtDialect) -> HostNodes | None:
    mask = None if element is None else element.get("nodeset")
    if element is None or not mask:
        return None
    mode = element.get("mode") or "strict"
    if mode not in _MODES:
        raise refusal(dialect, "bad-tune-mode", value=mode, at=element,
                      remedy=f"write one of {', '.join(_MODES)}")  # fmt: skip
    return HostNodes(mode, number_set(mask, dialect))


def _by_cell(tune: Element, cells: int, dialect: LibvirtDialect) -> dict[int, HostNodes]:
    found = {}
    for each in tune.every("memnode"):
        cell, nodes = unsigned(each, "cellid", dialect), _host_nodes(each, dialect)
        if cell is None or cell >= cells:
            raise refusal(dialect, "no-cell", at=each, remedy=f"there are {cells} cells")
        if nodes is not None:
            found[cell] = nodes
    return found
