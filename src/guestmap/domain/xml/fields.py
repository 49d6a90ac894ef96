"""What the elements of a ``<domain>`` say that are no memory device: one value each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import DomainError, Speaker, refusal
from guestmap.domain.rules.texts import XML_ERROR
from guestmap.domain.xml.memory import choice
from guestmap.domain.xml.numbers import kib_of, unsigned

if TYPE_CHECKING:
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.tree import Element

NAME = re.compile(r"[^/\x00-\x1f\x7f.][^/\x00-\x1f\x7f]{0,199}")
"""Names that a file can have, too."""
_TYPES = ("qemu", "kvm")


@dataclass(frozen=True, slots=True)
class Cell:
    """A NUMA node of the guest: its number, its vCPUs as written, its memory in KiB.

    Attributes:
        access, discard: of that memory, as written (``memAccess``, ``discard``); None: not said.
    """

    id: int
    cpus: str
    memory: int
    access: str | None = None
    discard: bool | None = None


def slots_of(limit: Element | None, dialect: LibvirtDialect) -> int:
    """Return the ACPI slots of a ``<maxMemory>``; 0 where there is none.

    Raises:
        DomainError: it has no meaning.
    """
    try:
        return 0 if limit is None else unsigned(limit, "slots", dialect) or 0
    except DomainError as error:
        raise refusal(dialect, "no-slot-count", at=limit, remedy="write slots='16'") from error


def name_of(root: Element, dialect: LibvirtDialect) -> str:
    """Return the domain's name.

    Raises:
        DomainError: it has no meaning.
    """
    name = root.value("name")
    if not name:
        raise refusal(dialect, "no-name", at=root, remedy="give it a <name>")
    if not NAME.fullmatch(name) or len(name.encode()) > 200:
        raise DomainError(
            XML_ERROR,
            f"name {name} cannot contain '/', begin with '.', or be longer than 200 bytes",
            at=root.find("name"),
            remedy="choose another name",
        )
    return name


def uuid_of(root: Element, dialect: LibvirtDialect) -> str | None:
    """Return the domain's uuid in its usual form; None where it has none.

    Raises:
        DomainError: it has no meaning.
    """
    text = root.value("uuid")
    if text is None:
        return None
    plain = text.replace("-", "").lower()
    if not re.fullmatch(r"[0-9a-f]{32}", plain):
        raise refusal(dialect, "bad-uuid", at=root.find("uuid"), remedy="leave it out")
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def kind_of(root: Element) -> str:
    """Return ``qemu`` or ``kvm``.

    Raises:
        DomainError: it has no meaning.
    """
    kind = root.get("type")
    if kind not in _TYPES:
        raise DomainError(
            XML_ERROR,
            f"domain type {kind!r} is not one that is run here",
            at=root,
            speaker=Speaker.OURS,
            remedy=f"write type='{_TYPES[0]}' or type='{_TYPES[1]}'",
        )
    return kind


def cell_of(element: Element, number: int, dialect: LibvirtDialect) -> Cell:
    """Return a NUMA node, by its element and its place among them.

    Raises:
        DomainError: it has no meaning.
    """
    memory = element.get("memory")
    if memory is None:
        raise refusal(dialect, "no-cell-memory", at=element, remedy="say how much: memory=")
    size = kib_of(memory, element.get("unit"), "memory", dialect, element)
    told = unsigned(element, "id", dialect)
    access = choice(element, "memAccess", ("shared", "private"), dialect)
    discard = choice(element, "discard", ("yes", "no"), dialect)
    return Cell(
        number if told is None else told, element.get("cpus") or "", size, access,
        None if discard is None else discard == "yes",
    )  # fmt: skip


def vcpus_of(root: Element, dialect: LibvirtDialect) -> int:
    """Return how many vCPUs there are.

    Raises:
        DomainError: it has no meaning.
    """
    found = root.find("vcpu")
    if found is None:
        return 1
    text = found.text.strip()
    if not re.fullmatch(r"[1-9]\d{0,3}", text, re.ASCII):
        raise refusal(dialect, "bad-size", value=text, name="vcpu", at=found)
    return int(text)


def lacking(root: Element, path: str, remedy: str) -> DomainError:
    """Return the refusal of a domain without an element."""
    return DomainError(
        XML_ERROR,
        f"missing element <{path.replace('/', '><')}> in <domain>",
        at=root,
        remedy=remedy,
    )
