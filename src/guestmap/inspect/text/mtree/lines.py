"""The lines of ``info mtree``: one function for each form, text in, values out.

Lines of all dialects are read; see :mod:`guestmap.inspect.text.mtree.dialects`. An alias has its
target's word, but for accesses (``RW``, up to 2.8), which are its own.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn, cast

import msgspec

from guestmap.base import PeerError, exact_size
from guestmap.inspect.map.snapshot import RangeInfo
from guestmap.inspect.text.mtree.dialects import CONTAINER
from guestmap.inspect.text.mtree.marks import OWNER, part_marks

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import RegionType

_HEX = "[0-9a-f]{16}"
_OVERFLOW = r"(?:\[DETECTED OVERFLOW!\] )"
_KIND = r"(?P<nv>nv-)?(?P<type>i/o|container|romd|ramd|rom|ram)"

_TREE = re.compile(
    rf"(?P<over>{_OVERFLOW}*)(?P<indent> *)(?P<over2>{_OVERFLOW}*)"
    rf"(?P<start>{_HEX})-(?P<end>{_HEX}) "
    rf"\(prio (?P<prio>-?\d+)(?:, (?:{_KIND}|(?P<rw>[R-][W-])))?\): (?P<rest>.*)"
)
_RANGE = re.compile(
    rf"  (?P<start>{_HEX})-(?P<end>{_HEX}) \(prio (?P<prio>-?\d+), {_KIND}\): (?P<rest>.*)"
)
_OWNER = re.compile(f"{OWNER}$")
_OWNER_WITHIN = re.compile(r" (?:owner|parent):\{")
_ALIAS = re.compile(rf"alias (?P<name>.*) @(?P<target>.*) (?P<from>{_HEX})-(?P<to>{_HEX})")
_PLAIN = re.compile(rf"([^ ]+)(?: @({_HEX}))?(?: ({OWNER.removeprefix(' ')}))?")
"""What stands behind most ranges: a name without spaces, and no marks."""

_OFFSET = re.compile(rf" @({_HEX})$")

_NOT_A_NAME = re.compile(
    rf"(?:^| )@(?:{_HEX}|[0-9a-f]+(?= |$))|{_HEX}-{_HEX}"
    r"|\(prio -?\d|\[disabled\]|(?:owner|parent):\{|\(qemu\)"
    r"|(?:address-space|memory-region|Root memory region): |=(?:3D|20)(?![\w.])"
)
"""What QEMU puts around names: two lines in one, or half of a line that was broken."""

_PART = re.compile(r"[@(\[{:=]|-[0-9a-f]{16}")
"""What each of these has in it: most names are told by it at once."""

_DISABLED = " [disabled]"
_WRAP = 1 << 64


class TreeLine(msgspec.Struct, frozen=True):
    """One region as one line says it.

    Attributes:
        number: the line's number in the text, from 1.
        level: depth, from 1; two spaces each.
        start: printed address: the sum of the offsets down to here, modulo 2**64.
        type: None where the old form does not tell it.
        word: what is printed for the type.
        target: name of the region that this one is an alias of, or None.
    """

    number: int
    level: int
    start: int
    size: int
    priority: int
    type: RegionType | None
    nonvolatile: bool
    name: str
    enabled: bool
    target: str | None = None
    alias_offset: int = 0
    owner: str | None = None
    word: str = ""


def fail(number: int, expected: str, line: str) -> NoReturn:
    """Say what is wrong with a line of the text."""
    shown = line if len(line) <= 120 else f"{line[:120]}..."
    raise PeerError(f"info mtree text, line {number}: expected {expected}, found {shown!r}")


def tree_line(number: int, line: str) -> TreeLine:
    """Read a line of a region tree.

    Raises:
        PeerError: it is not one.
    """
    match = _TREE.fullmatch(line)
    if match is None:
        fail(number, "'START-END (prio N, TYPE): NAME' or the end of the block", line)
    over, spaces, over2, first, last, priority, nv, word, rw, rest = match.groups()
    indent = len(spaces)
    if indent % 2 or not indent:
        fail(number, "an indentation of two spaces for each level", line)
    start, end = int(first, 16), int(last, 16)
    if end < start and not (over or over2 or rw or not word):
        fail(number, f"an end that is not below the start {start:016x}", line)
    rest, owner = _take_owner(rest)
    enabled = not rest.endswith(_DISABLED)
    rest = rest.removesuffix(_DISABLED)
    if "{" in rest and _OWNER_WITHIN.search(rest):
        fail(number, "an owner at the end of the line only", line)
    alias = _ALIAS.fullmatch(rest) if rest.startswith("alias ") else None
    size = (end - start) % _WRAP + 1
    if alias and (int(alias["to"], 16) - int(alias["from"], 16)) % _WRAP + 1 != size:
        fail(number, f"an alias window of {exact_size(size)}, as the alias has", line)
    name, target = (alias["name"], alias["target"]) if alias else (rest, None)
    check_names(number, line, name, target or "")
    return TreeLine(
        number=number,
        level=indent // 2,
        start=start,
        size=size,
        priority=int(priority),
        type=_type_of(word) if word else {None: None, "R-": "rom", "RW": None}.get(rw, "i/o"),
        nonvolatile=bool(nv),
        name=name,
        enabled=enabled,
        target=target,
        alias_offset=int(alias["from"], 16) if alias else 0,
        owner=owner,
        word=word or rw or "",
    )


def range_line(number: int, line: str) -> RangeInfo:
    """Read a line of a flat view.

    Raises:
        PeerError: it is not one.
    """
    match = _RANGE.fullmatch(line)
    if match is None:
        fail(number, "'  START-END (prio N, TYPE): NAME' or the end of the view", line)
    first, last, priority, nv, word, rest = match.groups()
    start, end = int(first, 16), int(last, 16)
    if end < start:
        fail(number, f"an end that is not below the start {start:016x}", line)
    plain = _PLAIN.fullmatch(rest)
    parted = (rest, ()) if plain else part_marks(rest)
    if parted is None:
        fail(number, "nothing but words (KVM) behind the offset or owner", line)
    name, offset, owner = plain.groups() if plain else _take_apart(parted[0])
    check_names(number, line, name)
    return RangeInfo(
        start=start,
        size=end - start + 1,
        priority=int(priority),
        type=_type_of(word),
        name=name,
        offset_in_region=int(offset, 16) if offset else 0,
        nonvolatile=bool(nv),
        owner=owner,
        accelerator=parted[1],
        parentless=word == CONTAINER,
    )


def check_names(number: int, line: str, *names: str) -> None:
    """Refuse names that hold another part of a listing."""
    for name in names:
        if _PART.search(name) and _NOT_A_NAME.search(name):
            fail(number, "a name that holds no other part of such a line", line)


def _type_of(word: str) -> RegionType:
    return "i/o" if word == CONTAINER else cast("RegionType", word)


def _take_apart(rest: str) -> tuple[str, str | None, str | None]:
    """Return a range's name, its offset in hexadecimal, and its owner."""
    rest, owner = _take_owner(rest)
    offset = _OFFSET.search(rest)
    return (rest[: offset.start()], offset[1], owner) if offset else (rest, None, owner)


def _take_owner(rest: str) -> tuple[str, str | None]:
    owner = _OWNER.search(rest) if rest.endswith(("}", " orphan")) else None
    if owner is None:
        return rest, None
    return rest[: owner.start()], owner[0][1:]
