"""Memory backends in QEMU's words: the members in libvirt's order, so its bytes are libvirt's.

One thing is left out: libvirt gives a backend that is allocated at once on certain host nodes a
``thread-context``, so that the threads which touch its pages run there, too. The policy of the
backend has the pages there all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guestmap.base import KIB
from guestmap.domain.placing import align_up
from guestmap.domain.rules.assign import backend_name
from guestmap.domain.rules.host_rules import huge_page, hugetlbfs, no_pages, page_of
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.situation import ALIGNMENT
from guestmap.domain.xml.backing import FILE, MEMFD, SYSTEM_PAGE, HostNodes
from guestmap.domain.xml.memory import NVDIMM, VIRTIO_MEM, VIRTIO_PMEM

if TYPE_CHECKING:
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.fields import Cell
    from guestmap.domain.xml.memory import MemoryDef

_POLICIES = {"strict": "bind", "preferred": "preferred", "interleave": "interleave"}
RAM = "pc.ram"
"""The backend of a PC's RAM where the guest has no NUMA nodes."""


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One backend: what it is for, and what its own element says, before the definition's word.

    Attributes:
        name, size: its id, and its bytes.
        file: what a file for it is called.
        cell: the guest's NUMA node.
        access, discard, page, mask: of its own element.
        path: of a file that is named.
    """

    name: str
    size: int
    file: str
    cell: int | None = None
    access: str | None = None
    discard: bool | None = None
    page: int | None = None
    mask: tuple[int, ...] = ()
    path: str | None = None
    model: str | None = None
    pmem: bool = False
    align: int | None = None


def device_backend(found: Definition, device: MemoryDef, unit: int, folder: str) -> dict[str, Any]:
    """Return the backend of a memory device, as ``object-add`` and ``-object`` take it.

    Args:
        found: the definition that it is, or will be, in.
        device: with its alias.
        unit: bytes that its size is rounded up to.
        folder: where files are made.

    Raises:
        DomainError: there is no filesystem of the pages that are asked for.
    """
    wanted = _Wanted(
        backend_name(device), align_up(device.size * KIB, unit), device.alias or "", device.node,
        device.access, device.discard, device.pagesize, device.nodemask, device.path, device.model,
        device.pmem, device.alignsize,
    )  # fmt: skip
    return _backend(found, wanted, folder)


def alignment(found: Definition, device: MemoryDef) -> int:
    """Return the bytes of which a device's size and its address must be multiples.

    It is that of the backend (QEMU, softmmu/physmem.c): of memory without a file what the host
    serves with huge pages, of a file one of its pages.
    """
    page = page_of(found, device)
    has_file = device.path or found.backing.source in (FILE, MEMFD) or device.access
    if page is not None:
        unit = page * KIB
    elif has_file or found.backing.access is not None:
        unit = SYSTEM_PAGE * KIB
    else:
        unit = ALIGNMENT
    return max(unit, (device.alignsize or 0) * KIB, (device.block or 0) * KIB)


def cell_backend(found: Definition, cell: Cell, folder: str) -> dict[str, Any]:
    """Return the backend of a guest's NUMA node; arguments as of :func:`device_backend`."""
    name = f"ram-node{cell.id}"
    wanted = _Wanted(name, cell.memory * KIB, name, cell.id, cell.access, cell.discard)
    return _backend(found, wanted, folder)


def ram_backend(found: Definition, folder: str) -> dict[str, Any]:
    """Return the backend of all RAM of a guest without NUMA nodes."""
    return _backend(found, _Wanted(RAM, found.initial * KIB, RAM), folder)


def makes_files(found: Definition, folder: str) -> bool:
    """Tell whether some memory of a machine, as it starts, is a file in a folder."""
    made = [cell_backend(found, each, folder) for each in found.cells] or [
        ram_backend(found, folder)
    ]
    made += [device_backend(found, each, 1, folder) for each in found.devices]
    return any(is_in(each, folder) for each in made)


def is_in(backend: dict[str, Any], folder: str) -> bool:
    """Tell whether a backend is a file in a folder."""
    return str(backend.get("mem-path", "")).startswith(f"{folder}/")


def is_allocated(found: Definition, device: MemoryDef) -> bool:
    """Tell whether virtio-mem has memory allocated as the guest takes it."""
    page = huge_page(found, device.node, device.pagesize)
    return device.model == VIRTIO_MEM and (found.backing.immediate or page is not None)


def _backend(found: Definition, wanted: _Wanted, folder: str) -> dict[str, Any]:
    backing = found.backing
    page = None if wanted.path else huge_page(found, wanted.cell, wanted.page)
    access = wanted.access or backing.access
    made: dict[str, Any] = {**_kind(found, wanted, page, access, folder)}
    if made["qom-type"] == "memory-backend-file" and wanted.path is None:
        discard = backing.discard if wanted.discard is None else wanted.discard
        if discard is not None:
            made["discard-data"] = discard
    if wanted.model == VIRTIO_PMEM or access is not None:
        made["share"] = wanted.model == VIRTIO_PMEM or access == "shared"
    if wanted.model == VIRTIO_MEM:
        made["reserve"] = False
    if wanted.name == RAM and made["qom-type"] != "memory-backend-ram":
        made["x-use-canonical-path-for-ramblock-id"] = False
    made |= _allocation(found, wanted, page)
    made["size"] = wanted.size
    if wanted.align is not None:
        made["align"] = wanted.align * KIB
    if wanted.pmem:
        made["pmem"] = True
    return made | _policy(found, wanted)


def _kind(
    found: Definition, wanted: _Wanted, page: int | None, access: str | None, folder: str
) -> dict[str, Any]:
    """Return what sort of backend it is, and where its memory is."""
    kind = FILE
    more: dict[str, Any] = {"mem-path": wanted.path or f"{folder}/{wanted.file}"}
    if wanted.path is not None:
        pass
    elif found.backing.source == MEMFD:
        kind = MEMFD
        more = {} if page is None else {"hugetlb": True, "hugetlbsize": page * KIB}
    elif page is not None:
        mounted = hugetlbfs(page)
        if mounted is None:
            raise no_pages(found.dialect, page)
        more = {"mem-path": mounted}
    elif found.backing.source != FILE and access is None:
        kind, more = "ram", {}
    return {"qom-type": f"memory-backend-{kind}", "id": wanted.name, **more}


def _allocation(found: Definition, wanted: _Wanted, page: int | None) -> dict[str, Any]:
    if wanted.model == VIRTIO_MEM:
        return {}  # the device does it
    made: dict[str, Any] = {}
    is_filled = wanted.model == NVDIMM and not wanted.pmem
    if found.backing.immediate or page is not None or is_filled:
        made["prealloc"] = True
    if found.backing.threads is not None:
        made["prealloc-threads"] = found.backing.threads
    return made


def _policy(found: Definition, wanted: _Wanted) -> dict[str, Any]:
    """Return from which nodes of the host it comes; 9.0 has the definition's mode for all."""
    said = found.backing.host_nodes(wanted.cell)
    if wanted.mask:
        is_own = said is None or found.dialect is LibvirtDialect.V12
        said = HostNodes("strict" if is_own or said is None else said.mode, wanted.mask)
    if said is None or said.mode not in _POLICIES:
        return {}
    return {"host-nodes": list(said.nodes), "policy": _POLICIES[said.mode]}
