"""Snapshot: a machine's memory map as one frozen value.

Every tool looks at a snapshot and at nothing else, so each works on our machine, on a live QEMU and
on pasted text alike. A snapshot holds the region trees, the address spaces, the flat views QEMU (or
we) made of them, and the RAM blocks (:mod:`guestmap.inspect.map.parts`). Its JSON form is the same
shape: objects with the names of the fields, integers for addresses and sizes (they reach 2**64),
lists for tuples.
"""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from guestmap import __version__
from guestmap.base import PeerError
from guestmap.base.dataclass import dataclass
from guestmap.inspect.map.parts import (
    Address,
    AddressSpaceInfo,
    DispatchEntry,
    DispatchInfo,
    DispatchSection,
    RamBlockInfo,
    RangeInfo,
    RegionInfo,
    RegionType,
    SlotInfo,
    Sureness,
    ViewInfo,
    ViewUser,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.memory import MemoryRegion, MemorySystem

__all__ = [
    "FORMAT",
    "FORMAT_VERSION",
    "Address",
    "AddressSpaceInfo",
    "DispatchEntry",
    "DispatchInfo",
    "DispatchSection",
    "RamBlockInfo",
    "RangeInfo",
    "RegionInfo",
    "RegionType",
    "SlotInfo",
    "Snapshot",
    "Sureness",
    "ViewInfo",
    "ViewUser",
]

FORMAT: Literal["guestmap.snapshot"] = "guestmap.snapshot"
FORMAT_VERSION: Literal[1] = 1


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
    def of(
        cls,
        memory: MemorySystem,
        *,
        source: str = "guestmap",
        owner: Callable[[MemoryRegion], str | None] | None = None,
    ) -> Snapshot:
        """Take a snapshot of our own model; of memory slots an accelerator knows, not the model.

        Args:
            memory: what to look at.
            source: where it is, for people.
            owner: returns what ``info mtree -o`` says of a region's owner; None: its type.
        """
        from guestmap.inspect.map.capture import capture, owner_of

        parts = capture(memory, owner or owner_of)
        return cls(*parts, source=source, version=f"guestmap {__version__}")

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
