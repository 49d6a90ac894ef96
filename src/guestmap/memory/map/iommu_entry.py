"""What an IOMMU says of an access: the answer, and its words, with QEMU's names and values."""

from __future__ import annotations

from enum import IntFlag
from typing import TYPE_CHECKING

from guestmap.base.named_tuple import NamedTuple

if TYPE_CHECKING:
    from guestmap.memory.map.space import ViewedSpace


class IommuPerm(IntFlag):
    """What a translation allows, or what an access wants; values as in QEMU."""

    NONE = 0
    READ = 1
    WRITE = 2
    READ_WRITE = 3
    EXEC = 4
    PRIV = 8
    GLOBAL = 16
    UNTRANSLATED_ONLY = 32


class IommuNotify(IntFlag):
    """Kinds of events; values as in QEMU."""

    NONE = 0
    UNMAP = 1
    """Translations are gone."""
    MAP = 2
    """A translation is new."""
    IOTLB = 3
    """Both: what keeps a shadow of the translations needs."""
    DEVIOTLB_UNMAP = 4
    """Translations that a device may have cached are gone."""


class IommuEntry(NamedTuple):
    """One translation (QEMU's ``IOMMUTLBEntry``).

    Attributes:
        target: the address space that the access goes on in.
        iova: offset in the IOMMU region that the entry begins at; bytes.
        translated: the address in ``target`` that ``iova`` becomes.
        mask: bytes that the entry covers, minus 1; for a page its offset bits.
        perm: what it allows.
    """

    target: ViewedSpace
    iova: int
    translated: int
    mask: int
    perm: IommuPerm
