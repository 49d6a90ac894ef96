"""Sizes and numbers as libvirt's documents write them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import refusal

if TYPE_CHECKING:
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.tree import Element

KIB = 1 << 10
_LARGEST = (1 << 64) - 1
_POWERS = "kmgtpe"
_UNSIGNED = re.compile(r"\d{1,20}", re.ASCII)


def unit_bytes(suffix: str, dialect: LibvirtDialect) -> int:
    """Return the bytes of a unit: ``KiB`` and ``k`` are 1024, ``KB`` is 1000 (virScaleInteger).

    Raises:
        DomainError: there is no such unit.
    """
    name = suffix.lower()
    if name in {"", "b", "byte", "bytes"}:
        return 1
    power = _POWERS.find(name[0]) + 1
    if power and name[1:] in {"", "ib"}:
        return int(1024**power)
    if power and name[1:] == "b":
        return int(1000**power)
    raise refusal(dialect, "suffix", suffix=suffix, remedy="write KiB, MiB or GiB")


def scaled_kib(holder: Element, path: str, dialect: LibvirtDialect) -> int | None:
    """Return a size in KiB, rounded up; None where it is not there.

    Args:
        holder: the element that has it.
        path: where in it; the unit is its attribute ``unit``, KiB where it has none.
        dialect: whose words a refusal has.

    Raises:
        DomainError: it is no number, or too large.
    """
    found = holder.find(path)
    if found is None:
        return None
    return kib_of(found.text.strip(), found.get("unit"), path, dialect, found)


def kib_of(
    text: str, unit: str | None, name: str, dialect: LibvirtDialect, at: Element | None = None
) -> int:
    """Return the KiB of a number and its unit, rounded up.

    Raises:
        DomainError: as :func:`scaled_kib`.
    """
    if not _UNSIGNED.fullmatch(text) or int(text) > _LARGEST:
        raise refusal(
            dialect, "bad-size", value=text, name=name, at=at, remedy="write a whole number"
        )
    scale = unit_bytes(unit or "KiB", dialect)
    size = int(text) * scale
    if size > _LARGEST:
        raise refusal(dialect, "overflow", value=text, suffix=unit or "KiB", at=at)
    return -(-size // KIB)


def unsigned(
    element: Element, attribute: str, dialect: LibvirtDialect, *, base: int = 10
) -> int | None:
    """Return an attribute that is a number; None where it is not there.

    Raises:
        DomainError: it is no number.
    """
    text = element.get(attribute)
    if text is None:
        return None
    try:
        value = int(text, base) if text.isascii() and "_" not in text else -1
    except ValueError:
        value = -1
    if value < 0 or value > _LARGEST:
        raise refusal(
            dialect, "not-a-number", attribute=attribute, element=element.name, value=text,
            at=element,
        )  # fmt: skip
    return value


def whole(text: str | None, default: int = 0, most: int = 0xFFFF) -> int:
    """Return a small number of a device that is not ours to judge; a default where it is none."""
    try:
        value = int(text or "", 0)
    except ValueError:
        return default
    return value if 0 <= value <= most else default


def number_set(text: str, dialect: LibvirtDialect) -> tuple[int, ...]:
    """Return the numbers of a set such as ``0-3,^2,8`` (virBitmapParse); at most 4096.

    Raises:
        DomainError: it is no set.
    """
    found: set[int] = set()
    for part in text.replace(" ", "").split(","):
        match = re.fullmatch(r"(\^?)(\d{1,4})(?:-(\d{1,4}))?", part, re.ASCII)
        if match is None or (match[1] and match[3]) or (match[3] and int(match[3]) < int(match[2])):
            raise refusal(dialect, "bitmap", value=text, remedy="write numbers: 0-3,8")
        first = int(match[2])
        numbers = range(first, int(match[3] or first) + 1)
        found = found - set(numbers) if match[1] else found | set(numbers)
    return tuple(sorted(found))


def ranges_text(numbers: tuple[int, ...]) -> str:
    """Return a set of numbers as libvirt prints it: ``0-3,8``."""
    parts: list[str] = []
    start = previous = None
    for number in (*numbers, None):
        if start is not None and (number is None or number != (previous or 0) + 1):
            parts.append(f"{start}" if start == previous else f"{start}-{previous}")
            start = number
        if start is None:
            start = number
        previous = number
    return ",".join(parts)
