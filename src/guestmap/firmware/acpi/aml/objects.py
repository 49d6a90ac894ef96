"""Definitions in AML: what puts a name into the namespace, and the data that names stand for.

ACPI specification 6.5, sections 20.2.3 (data), 20.2.5.1 (namespace modifiers) and 20.2.5.2 (named
objects). Functions carry the names of the ASL operators they stand for.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum

from guestmap.firmware.acpi.aml.encoding import (
    Term,
    integer,
    name_string,
    package_length,
    packed,
    term,
    terms,
)

_MOST_ARGUMENTS = 7
_MOST_PACKAGE_ELEMENTS = 255


class RegionSpace(IntEnum):
    """Address spaces of an operation region."""

    SYSTEM_MEMORY = 0
    SYSTEM_IO = 1
    PCI_CONFIG = 2


class Access(IntEnum):
    """How wide the accesses to a field are."""

    BYTE = 1
    DWORD = 3


class Update(IntEnum):
    """What the bits beside a field are when the field is written."""

    PRESERVE = 0
    WRITE_AS_ZEROS = 2


def name(path: str, value: Term) -> bytes:
    """``Name``: a name for a piece of data."""
    return b"\x08" + name_string(path) + term(value)


def scope(path: str, *body: Term) -> bytes:
    """``Scope``: definitions inside something that exists."""
    return b"\x10" + packed(name_string(path) + terms(body))


def device(path: str, *body: Term) -> bytes:
    """``Device``."""
    return b"\x5b\x82" + packed(name_string(path) + terms(body))


def method(path: str, *body: Term, arguments: int = 0, serialized: bool = False) -> bytes:
    """``Method``: code with up to seven arguments.

    Raises:
        ValueError: more arguments.
    """
    if not 0 <= arguments <= _MOST_ARGUMENTS:
        raise ValueError(f"method {path}: {arguments} arguments; at most {_MOST_ARGUMENTS}")
    flags = arguments | serialized << 3
    return b"\x14" + packed(name_string(path) + bytes([flags]) + terms(body))


def mutex(path: str) -> bytes:
    """``Mutex`` of sync level 0."""
    return b"\x5b\x01" + name_string(path) + b"\x00"


def operation_region(path: str, space: RegionSpace, start: int, length: int) -> bytes:
    """``OperationRegion``: ``length`` bytes of an address space."""
    return b"\x5b\x80" + name_string(path) + bytes([space]) + integer(start) + integer(length)


def field(
    region: str,
    access: Access,
    update: Update,
    units: Sequence[tuple[str, int]],
    *,
    offset: int = 0,
) -> bytes:
    """``Field``: names for runs of bits of a region; no global lock.

    Args:
        region: the operation region.
        access: the width of accesses.
        update: what neighbouring bits become.
        units: names and their numbers of bits, without gaps; "" leaves bits out.
        offset: bytes before the first one.
    """
    body = name_string(region) + bytes([access | update << 5])
    if offset:
        body += b"\x00" + package_length(8 * offset)
    for unit, bits in units:
        body += (name_string(unit) if unit else b"\x00") + package_length(bits)
    return b"\x5b\x81" + packed(body)


def create_qword_field(source: Term, offset: int, path: str) -> bytes:
    """``CreateQWordField``: a name for eight bytes of a buffer."""
    return b"\x8f" + term(source) + integer(offset) + name_string(path)


def create_dword_field(source: Term, offset: int, path: str) -> bytes:
    """``CreateDWordField``: a name for four bytes of a buffer."""
    return b"\x8a" + term(source) + integer(offset) + name_string(path)


def buffer(data: bytes) -> bytes:
    """``Buffer`` with a constant content."""
    return b"\x11" + packed(integer(len(data)) + data)


def package(*elements: Term) -> bytes:
    """``Package`` of up to 255 elements.

    Raises:
        ValueError: more of them.
    """
    if len(elements) > _MOST_PACKAGE_ELEMENTS:
        raise ValueError(f"{len(elements)} elements in a package; at most {_MOST_PACKAGE_ELEMENTS}")
    return b"\x12" + packed(bytes([len(elements)]) + terms(elements))
