"""What a domain's memory needs of the host: its NUMA nodes, and its huge pages."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import CONFIG_UNSUPPORTED, LibvirtDialect
from guestmap.domain.xml.backing import SYSTEM_PAGE, HugePages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef

_USUAL_PAGE_KIB = 2048
_NODES = Path("/sys/devices/system/node")
_MOUNTS = Path("/proc/mounts")
_POOLS = Path("/sys/kernel/mm/hugepages")


def page_of(found: Definition, device: MemoryDef) -> int | None:
    """Return the KiB of the huge pages of a device; None: it has ordinary ones, or is a file."""
    return None if device.path else huge_page(found, device.node, device.pagesize)


def huge_page(found: Definition, cell: int | None, own: int | None = None) -> int | None:
    """Return the KiB of the huge pages of a backend; None: it has ordinary ones.

    Args:
        found: the definition.
        cell: the guest's NUMA node that it is for.
        own: what its own element says; None: nothing.
    """
    page = found.backing.page(cell) if own is None else HugePages(own)
    if page is None or page.size == SYSTEM_PAGE:
        return None
    return page.size or _USUAL_PAGE_KIB


def absent_nodes(nodes: tuple[int, ...]) -> list[int]:
    """Return those NUMA nodes that the host has not."""
    return [
        node
        for node in nodes
        if not (_NODES / f"node{node}").is_dir() and (node or _NODES.is_dir())
    ]


def no_pages(dialect: LibvirtDialect, page_kib: int) -> DomainError:
    """Return the refusal of pages of a size that are nowhere mounted."""
    remedy = f"mount a hugetlbfs of pages of {page_kib} KiB"
    if not any(_mounted()):
        return refusal(dialect, "no-hugetlbfs", remedy=remedy)
    return refusal(dialect, "no-page-mount", page=page_kib, remedy=remedy)


def hugetlbfs(page_kib: int) -> str | None:
    """Return where a hugetlbfs of pages of a size is mounted; None: nowhere."""
    names = {f"pagesize={page_kib >> 10}M", f"pagesize={page_kib >> 20}G", f"pagesize={page_kib}K"}
    for place, options in _mounted():
        told = [each for each in options if each.startswith("pagesize=")]
        if names & set(told) or (not told and page_kib == _USUAL_PAGE_KIB):
            return place
    return None


def _mounted() -> Iterator[tuple[str, list[str]]]:
    """Yield where a hugetlbfs is mounted, and how (proc(5))."""
    try:
        lines = _MOUNTS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if len(fields) > 3 and fields[2] == "hugetlbfs":
            yield fields[1], fields[3].split(",")


def few_pages(found: Definition, device: MemoryDef) -> Iterator[DomainError]:
    """Find a device that needs more huge pages than the host has in all, used ones among them.

    A running machine is told so by QEMU; the stored definition would be by the next start.
    """
    size = page_of(found, device)
    if size is None:
        return
    needed, there = -(-device.size // size), _pool(size)
    if needed > there:
        yield DomainError(
            CONFIG_UNSUPPORTED,
            f"the host has {there} huge pages of {size} KiB in all, and the device needs {needed}",
            domain=10,
            speaker=Speaker.OURS,
            remedy=f"give it more (nr_hugepages in {_POOLS}/hugepages-{size}kB)",
        )


def _pool(page_kib: int) -> int:
    """Return how many huge pages of a size the host has, or makes when they are wanted."""
    found = 0
    for each in ("nr_hugepages", "nr_overcommit_hugepages"):
        with suppress(OSError, ValueError):
            found += int((_POOLS / f"hugepages-{page_kib}kB" / each).read_text())
    return found
