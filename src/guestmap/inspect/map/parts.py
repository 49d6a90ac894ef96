"""What a snapshot is made of: regions, address spaces, views, blocks of RAM, memory slots.

Regions are named by ``id``; the names people read are not unique. Facts that the source did not
state but the reader concluded are listed by field name in ``RegionInfo.inferred``. Regions and
ranges, of which there are many, are msgspec's structs (``msgspec.structs.replace`` makes one with
other facts): those are made in a fraction of a dataclass's time.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from guestmap.base.dataclass import dataclass

_LAST = (1 << 64) - 1

RegionType = Literal["i/o", "ram", "rom", "romd", "ramd"]
"""What ``info mtree`` calls a region; an alias has its target's type."""

Address = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": _LAST})]
Size = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0, "maximum": _LAST + 1})]
Extent = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 1, "maximum": _LAST + 1})]
Priority = Annotated[
    int, msgspec.Meta(extra_json_schema={"minimum": -(1 << 31), "maximum": (1 << 31) - 1})
]
"""QEMU's ``int32_t``. These bounds are the schema's; :meth:`Snapshot.check` has them too."""

RegionId = Annotated[int, msgspec.Meta(extra_json_schema={"minimum": 0})]
Children = Annotated[tuple[RegionId, ...], msgspec.Meta(extra_json_schema={"uniqueItems": True})]

Sureness = Literal["proven", "rule", "guess"]
"""How sure a concluded fact is: a flat view shows it; it is known of QEMU's regions of that name,
or of all of that kind; it is what is most often so."""


class RegionInfo(msgspec.Struct, frozen=True):
    """One node of a region tree.

    Attributes:
        addr: offset in the container, bytes, 0 to 2**64 - 1 (an alias target or root: its own).
        size: bytes, at most 2**64.
        children: ids in list order: highest priority first, newest first among equals; it is the
            order in which they are rendered.
        terminates: answers itself where no child does (false: a pure container, or an alias).
        alias: id of the region that an alias shows, from ``alias_offset`` on; through no number of
            aliases and containers, all enabled, may a region show itself at its own place, nor may
            aliases show nothing but each other.
        owner: QEMU's words, for example ``owner:{dev id=nic0}``, or None where not known.
        inferred: names of fields whose value the source did not state.
        sureness: how sure each of those is, in their order; empty where nobody looked closer.
    """

    id: RegionId
    name: str
    addr: Address
    size: Size
    priority: Priority = 0
    type: RegionType = "i/o"
    enabled: bool = True
    terminates: bool = False
    readonly: bool = False
    nonvolatile: bool = False
    children: Children = ()
    alias: RegionId | None = None
    alias_offset: Address = 0
    owner: str | None = None
    inferred: tuple[str, ...] = ()
    sureness: tuple[Sureness, ...] = ()


@dataclass(frozen=True, slots=True)
class AddressSpaceInfo:
    """A name and the root of what it sees."""

    name: str
    root: RegionId


@dataclass(frozen=True, slots=True)
class ViewUser:
    """An address space that shares a view; ``alias``: its root is an alias of this name."""

    name: str
    root: str
    alias: str | None = None


class RangeInfo(msgspec.Struct, frozen=True):
    """One range of a flat view: who answers there.

    Attributes:
        priority: the answering region's own.
        type: ``rom`` where the range is read-only for any reason.
        accelerator: words QEMU puts behind a range that is a slot of its accelerator, one for each
            address space (``KVM``).
        region: id of the answering region, where the source knows it.
        parentless: the source says that the answering region lies in no other.
    """

    start: Address
    size: Extent
    priority: Priority
    type: RegionType
    name: str
    offset_in_region: Address = 0
    nonvolatile: bool = False
    owner: str | None = None
    accelerator: tuple[str, ...] = ()
    region: RegionId | None = None
    parentless: bool = False


@dataclass(frozen=True, slots=True)
class DispatchSection:
    """A physical section of the dispatch tree; ``marks`` as QEMU prints them, without brackets."""

    start: int
    size: int
    name: str
    marks: tuple[str, ...] = ()
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class DispatchEntry:
    """A run of equal entries in a node; ``pointer`` None is NIL, a leaf has ``skip`` 0."""

    first: int
    last: int
    skip: int
    pointer: int | None


@dataclass(frozen=True, slots=True)
class DispatchInfo:
    """How a view is looked up: sections, and the radix tree over page numbers."""

    sections: tuple[DispatchSection, ...]
    nodes: tuple[tuple[DispatchEntry, ...], ...]
    root_pointer: int
    root_skip: int
    bits: int = 9
    levels: int = 6


@dataclass(frozen=True, slots=True)
class ViewInfo:
    """A flat view, and who shares it.

    Attributes:
        root: name of the region that was rendered; None: the empty view of roots that are off.
        root_region: its id, where the source knows it.
    """

    users: tuple[ViewUser, ...]
    root: str | None
    ranges: tuple[RangeInfo, ...]
    dispatch: DispatchInfo | None = None
    root_region: RegionId | None = None


@dataclass(frozen=True, slots=True)
class RamBlockInfo:
    """A block of RAM; ``offset`` is its place in the space of all RAM (ram_addr)."""

    name: str
    offset: Address
    used_length: Size
    max_length: Size


@dataclass(frozen=True, slots=True)
class SlotInfo:
    """A memory slot of a hypervisor's, by which the guest reaches memory without an exit.

    Attributes:
        start: guest-physical; ``size`` in bytes.
        host: where its memory is in the machine's process.
        readonly: writes of the guest come out.
        logged: pages that the guest writes are noted.
        dirty: how many are noted and not taken yet; None where that is not known.
    """

    number: int
    start: Address
    size: Extent
    host: Address
    readonly: bool = False
    logged: bool = False
    dirty: int | None = None
