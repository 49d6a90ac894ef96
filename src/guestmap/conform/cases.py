"""The two kinds of recordings, and their JSON.

A flat range is a list of values, named by ``range_fields`` (a qtest recording has none, and the
fields of :data:`PLAIN_RANGE`). Addresses and sizes are integers; sizes reach 2**64.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import msgspec

from guestmap.base import PeerError

PLAIN_RANGE = ("start", "size", "priority", "nonvolatile", "type", "name", "offset_in_region")

RangeValues = tuple[int | bool | str | None, ...]


@dataclass(frozen=True, slots=True)
class VectorRegion:
    """A node of a vector's tree; ``children`` are ids, highest priority first, newest first."""

    id: int
    name: str
    addr: int
    size: int
    priority: int
    type: Literal["i/o", "ram", "rom", "romd", "ramd"]
    enabled: bool
    terminates: bool
    readonly: bool
    nonvolatile: bool
    children: tuple[int, ...]
    owner: str = ""
    alias: int | None = None
    alias_offset: int = 0


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """An address space and the id of its root."""

    name: str
    root: int


@dataclass(frozen=True, slots=True)
class VectorView:
    """A flat view, and the (address space, root name) pairs that share it."""

    users: tuple[tuple[str, str], ...]
    root: str
    ranges: tuple[RangeValues, ...]


@dataclass(frozen=True, slots=True)
class VectorCase:
    """A region tree and QEMU's flat views of it."""

    range_fields: tuple[str, ...]
    regions: tuple[VectorRegion, ...]
    address_spaces: tuple[VectorSpace, ...]
    flatviews: tuple[VectorView, ...]


@dataclass(frozen=True, slots=True)
class QtestView:
    """The ranges of one view, in the order of :data:`PLAIN_RANGE`."""

    root: str
    ranges: tuple[RangeValues, ...]


@dataclass(frozen=True, slots=True)
class QtestStep:
    """Commands with their replies, and what each address space shows after them.

    Attributes:
        spaces: (address space, root name, index into the case's views); None: as before.
    """

    what: str
    ops: tuple[tuple[str, str], ...]
    spaces: tuple[tuple[str, str, int], ...] | None = None


@dataclass(frozen=True, slots=True)
class QtestCase:
    """A sequence of accesses made to a stopped QEMU that was started with ``cmdline``.

    Attributes:
        seabios: version of the firmware whose bytes the accesses may have read. Recordings did not
            name it at first: those were made with QEMU 7.2.22 and Debian 12's SeaBIOS.
    """

    cmdline: tuple[str, ...]
    views: tuple[QtestView, ...]
    steps: tuple[QtestStep, ...]
    seabios: str = "1.16.2"


def read_case(data: bytes) -> VectorCase | QtestCase | None:
    """Return the recording in a JSON text; None where it is JSON of another kind.

    Raises:
        PeerError: not JSON, or of one of the two kinds and not of its form.
    """
    try:
        form = msgspec.json.decode(data)
    except msgspec.MsgspecError as error:
        raise PeerError(f"not JSON: {error}") from error
    if not isinstance(form, dict):
        return None
    if {"regions", "flatviews"} <= form.keys():
        return _checked(_convert(_renamed(form, "flatviews", "as", "users"), VectorCase))
    if {"cmdline", "steps", "views"} <= form.keys():
        return _convert(_renamed(form, "steps", "as", "spaces"), QtestCase)
    return None


_Case = TypeVar("_Case")


def _convert(form: dict[str, Any], kind: type[_Case]) -> _Case:
    try:
        return msgspec.convert(form, kind)
    except msgspec.ValidationError as error:
        raise PeerError(f"not a {kind.__name__}: {error}") from error


def _renamed(form: dict[str, Any], where: str, old: str, new: str) -> dict[str, Any]:
    """Return the form with a key that Python reserves exchanged in each object of a list."""
    items = form[where] if isinstance(form[where], list) else []
    renamed = [
        {(new if key == old else key): value for key, value in item.items()}
        if isinstance(item, dict)
        else item
        for item in items
    ]
    return {**form, where: renamed}


def _checked(case: VectorCase) -> VectorCase:
    """Hold the references to their targets."""
    ids = {region.id for region in case.regions}
    for region in case.regions:
        links = {*region.children, *(() if region.alias is None else (region.alias,))}
        if not links <= ids:
            raise PeerError(f"region {region.id} refers to {sorted(links - ids)}, absent")
    for space in case.address_spaces:
        if space.root not in ids:
            raise PeerError(f"address space {space.name!r} has root {space.root}, absent")
    for view in case.flatviews:
        if any(len(values) != len(case.range_fields) for values in view.ranges):
            raise PeerError(
                f"view of {view.root!r}: a range has not {len(case.range_fields)} values"
            )
    return case
