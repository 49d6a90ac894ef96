"""Which virtio-mem device is meant: by its name, its node, or a document that describes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from guestmap.base import KIB
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.room import rounded
from guestmap.domain.rules.texts import XML_DETAIL
from guestmap.domain.xml.memory import VIRTIO_MEM

if TYPE_CHECKING:
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


@dataclass(frozen=True, slots=True)
class Which:
    """Which virtio-mem device is meant; where nothing is said, the only one.

    Attributes:
        alias: its name in the machine.
        node: the guest's node that it is in.
    """

    alias: str | None = None
    node: int | None = None


def index_of(found: Definition, which: Which | MemoryDef, what: str) -> int:
    """Return the index of the device that is meant.

    Args:
        found: the definition.
        which: the device, or all of it as it shall be.
        what: the refusal where it is not there.

    Raises:
        DomainError: there is no such device, or something else of it would change.
    """
    if not isinstance(which, Which):
        return _of_document(found, which, what)
    fitting = [
        index
        for index, device in enumerate(found.devices)
        if device.model == VIRTIO_MEM
        and (which.alias is None or which.alias == device.alias)
        and (which.node is None or which.node == device.node)
    ]
    if len(fitting) == 1:
        return fitting[0]
    raise _missing(found, what, which.alias)


def _of_document(found: Definition, wanted: MemoryDef, what: str) -> int:
    """Return which device a document means; all of it but the requested size stays."""
    for each in refusals(found, wanted, live=True):
        if each.code == XML_DETAIL:  # what is wrong with the document alone
            raise each
    if wanted.model != VIRTIO_MEM:
        raise refusal(found.dialect, "fixed-model", model=wanted.model)
    fitting = [
        index
        for index, device in enumerate(found.devices)
        if device.model == VIRTIO_MEM
        and device.node == wanted.node
        and (wanted.alias is None or device.alias in {None, wanted.alias})
        and (wanted.address is None or device.address == wanted.address)
    ]
    if len(fitting) != 1:
        raise _missing(found, what, wanted.alias)
    _refuse_others(found.devices[fitting[0]], wanted, found.dialect)
    return fitting[0]


def _refuse_others(device: MemoryDef, wanted: MemoryDef, dialect: LibvirtDialect) -> None:
    """Refuse another change than of the requested size."""
    told = {"size": (rounded(device) // KIB, rounded(wanted) // KIB),
            "block": (device.block, wanted.block),
            "access": (device.access or "default", wanted.access or "default")}  # fmt: skip
    if wanted.base is not None and device.base is not None:
        told["address"] = (f"{device.base:#x}", f"{wanted.base:#x}")
    for what, (was, now) in told.items():
        if was != now:
            raise refusal(dialect, f"fixed-{what}", was=was, now=now,
                          remedy="detach it, and attach another one")  # fmt: skip


def _missing(found: Definition, what: str, alias: str | None) -> DomainError:
    known = ", ".join(f"{d.alias or 'one without alias'} in node {d.node}" for d in found.devices
                      if d.model == VIRTIO_MEM)  # fmt: skip
    return refusal(
        found.dialect, what, alias=alias or "virtio-mem",
        remedy=f"say which: --alias or --node (there are: {known or 'none'})",
    )  # fmt: skip
