"""Snapshot: a machine's memory map as one frozen value.

Every tool looks at a snapshot and at nothing else, so each works on our machine, on a live QEMU and
on pasted text alike. A snapshot holds the region trees, the address spaces, the flat views QEMU (or
we) made of them, and the RAM blocks. Its JSON form is the same shape: objects with the field names
below, integers for addresses and sizes (they reach 2**64), lists for tuples.

Regions are named by ``id``; the names people read are not unique. Facts that the source did not
state but the reader concluded are listed by field name in ``RegionInfo.inferred``. Regions and
ranges, of which there are many, are msgspec's structs (``msgspec.structs.replace`` makes one with
other facts): those are made in a fraction of a dataclass's time.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from guestmap.base import PeerError
from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.memory import MemorySystem

FORMAT: Literal["guestmap.snapshot"] = "guestmap.snapshot"
FORMAT_VERSION: Literal[1] = 1

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


@dataclass(frozen=True)
class Snapshot:
    """A machine's memory map at one moment.

    Attributes:
        regions: ordered by id; ``regions[i].id == i``.
        source: where it came from, for people (a file name, ``unix:/run/vm.sock``, ``guestmap``).
        version: what made it (``7.2.22``), or "" where not known.
        dialect: the first QEMU version that prints ``info mtree`` as the source's text has it
            (``11.1``); "" where the source is no such text, or several versions print it so.
        hides_disabled: the source is text that leaves disabled regions out (no ``-D``); those that
            are here were concluded from what is around them.
        notes: what reading the source took off or did not find, for people.
        slots: a hypervisor's memory slots, by address, where the source tells them.
    """

    regions: tuple[RegionInfo, ...] = ()
    address_spaces: tuple[AddressSpaceInfo, ...] = ()
    views: tuple[ViewInfo, ...] = ()
    ram_blocks: tuple[RamBlockInfo, ...] = ()
    source: str = ""
    version: str = ""
    dialect: str = ""
    hides_disabled: bool = field(default=False, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)
    slots: tuple[SlotInfo, ...] = field(default=(), compare=False)
    format: Literal["guestmap.snapshot"] = field(default=FORMAT, kw_only=True)
    format_version: Literal[1] = field(default=FORMAT_VERSION, kw_only=True)

    @classmethod
    def of(cls, memory: MemorySystem, *, source: str = "guestmap") -> Snapshot:
        """Take a snapshot of our own model; of memory slots an accelerator knows, not the model."""
        from guestmap.inspect.map.capture import capture

        return capture(memory, source=source)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form: objects, lists, strings, integers."""
        form: dict[str, Any] = msgspec.to_builtins(self)
        return form

    @classmethod
    def from_json(cls, form: Any) -> Snapshot:
        """Return the snapshot that :meth:`to_json` gave.

        Raises:
            PeerError: not that form; says where (``$.regions[3].size``) and what was expected.
        """
        snapshot = _converted(form)
        snapshot.check()
        return snapshot

    @classmethod
    def from_text(cls, text: str) -> Snapshot | None:
        """Return the snapshot of a JSON text, made as it is read: in a third of the memory.

        Returns:
            None: it is anything but plainly that; what it is, or what is wrong with it, the same
            text tells that was read as any JSON (:meth:`from_json`).

        Raises:
            PeerError: it breaks a rule of :meth:`check`.
        """
        try:
            told = msgspec.json.decode(text, type=_Told)
            if (told.format, told.format_version) != (FORMAT, FORMAT_VERSION):
                return None
            snapshot = msgspec.json.decode(text, type=cls)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return None
        snapshot.check()
        return snapshot

    def roots(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each root with its address spaces' names, in order of first appearance."""
        groups: dict[int, list[str]] = {}
        for space in self.address_spaces:
            groups.setdefault(space.root, []).append(space.name)
        yield from groups.items()

    @cached_property
    def containers(self) -> dict[int, int]:
        """The container's id by region id; roots are absent."""
        return {child: region.id for region in self.regions for child in region.children}

    @cached_property
    def has_aliases(self) -> bool:
        """Whether any region shows another one."""
        return any(each.alias is not None for each in self.regions)

    def check(self) -> None:
        """Hold the snapshot to its own rules: ids, references, one container each, no cycle.

        No cycle of aliases either, through which a region would show itself at the same place.

        Views too: their ranges lie within 64 bits, in order, without overlap.

        Raises:
            PeerError: a rule is broken; says where, as a JSON path.
        """
        from guestmap.inspect.map.check import check_snapshot

        check_snapshot(self)


class _Told(msgspec.Struct):
    """What says of a JSON that it is a snapshot; a :class:`Snapshot` has it unsaid."""

    format: str = ""
    format_version: int = 0


def _converted(form: Any) -> Snapshot:
    try:
        try:
            snapshot = msgspec.convert(form, Snapshot)
        except msgspec.ValidationError:
            snapshot = msgspec.convert(_with_integers(form), Snapshot)
    except (msgspec.ValidationError, UnicodeEncodeError) as error:  # half of a surrogate pair
        raise _is_no_form(error) from error
    except RecursionError as error:
        raise _is_no_form("nested too deeply") from error
    for name in ("format", "format_version"):  # they have a default here, but tell what it is
        if name not in form:
            raise _is_no_form(f"Object missing required field `{name}`")
    return snapshot


def _is_no_form(reason: Exception | str) -> PeerError:
    return PeerError(f"not a {FORMAT} of version {FORMAT_VERSION}: {reason}")


def _with_integers(form: Any) -> Any:
    """Return a form whose integers are integers: 1.0 is one to JSON Schema, and to JavaScript."""
    if isinstance(form, float) and form.is_integer():
        return int(form)
    if isinstance(form, list):
        return [_with_integers(each) for each in form]
    if isinstance(form, dict):
        return {name: _with_integers(value) for name, value in form.items()}
    return form
