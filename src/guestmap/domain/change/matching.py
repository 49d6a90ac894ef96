"""Which device of a definition is meant, and that it is the same one in both.

libvirt looks in each definition for itself, and takes the first that fits; slots are chosen apart
in each, so two equal DIMMs can be taken crosswise. Here the one that leaves the machine is looked
for in the stored definition: by slot, by address, or as the one that no other can be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.domain.rules.errors import refusal
from guestmap.domain.rules.room import rounded
from guestmap.domain.xml.memory import DimmAddress, PciAddress

if TYPE_CHECKING:
    from guestmap.domain.rules.texts import LibvirtDialect
    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef


def matching(found: Definition, wanted: MemoryDef) -> list[int]:
    """Return the indices of the devices that a document describes."""
    return [n for n, each in enumerate(found.devices) if _fits(each, wanted)]


def choose(
    live: Definition | None, stored: Definition | None, wanted: MemoryDef
) -> tuple[int | None, int | None]:
    """Return the indices of the device that is meant, in the machine and in the definition.

    Raises:
        DomainError: there is no such device in one that is asked for.
    """
    dialect = wanted_dialect(live, stored)
    in_stored = [] if stored is None else matching(stored, wanted)
    if stored is not None and not in_stored:
        raise refusal(dialect, "config-missing", remedy=_known(stored))
    if live is None:
        return None, in_stored[0]
    in_live = matching(live, wanted)
    if not in_live:
        raise refusal(dialect, "live-missing", model=wanted.model, remedy=_known(live))
    if stored is None:
        return in_live[0], None
    for is_certain in (True, False):
        for index in in_live:
            twin = _twin(live, live.devices[index], stored, in_stored, is_certain=is_certain)
            if twin is not None:
                return index, twin
    raise refusal(dialect, "config-missing",
                  remedy="no device that fits in the machine is one in the definition")  # fmt: skip


def wanted_dialect(live: Definition | None, stored: Definition | None) -> LibvirtDialect:
    """Return whose words a refusal has."""
    found = live if live is not None else stored
    assert found is not None
    return found.dialect


def twin_of(live: Definition, device: MemoryDef, stored: Definition) -> int | None:
    """Return the index of a machine's device in the stored definition; None: it is not there."""
    every = list(range(len(stored.devices)))
    certain = _twin(live, device, stored, every, is_certain=True)
    return _twin(live, device, stored, every, is_certain=False) if certain is None else certain


def _twin(
    live: Definition, device: MemoryDef, stored: Definition, among: list[int], *, is_certain: bool
) -> int | None:
    alike = [n for n in among if _is_alike(stored.devices[n], device)]
    if not is_certain:
        others = (each for each in live.devices if each is not device)
        taken = {_twin(live, each, stored, among, is_certain=True) for each in others}
        return next((n for n in alike if n not in taken), None)
    for n in alike:
        other = stored.devices[n]
        if device.has_own_alias and other.alias == device.alias:
            return n
    for n in alike:
        if stored.devices[n].address is not None and _same_slot(stored.devices[n], device):
            return n
    for n in alike:
        if stored.devices[n].place is not None and stored.devices[n].place == device.place:
            return n
    return None


def _same_slot(one: MemoryDef, other: MemoryDef) -> bool:
    a, b = one.address, other.address
    if isinstance(a, DimmAddress) and isinstance(b, DimmAddress):
        return a.slot == b.slot and (a.base is None or b.base is None or a.base == b.base)
    return isinstance(a, PciAddress) and a == b


def _is_alike(one: MemoryDef, other: MemoryDef) -> bool:
    return (
        one.model == other.model
        and one.node == other.node
        and rounded(one) == rounded(other)
        and (one.pagesize, one.nodemask, one.path) == (other.pagesize, other.nodemask, other.path)
    )


def _fits(each: MemoryDef, wanted: MemoryDef) -> bool:
    if not _is_alike(each, wanted):
        return False
    if wanted.alias is not None and each.alias is not None and wanted.alias != each.alias:
        return False
    return wanted.address is None or _same_slot(each, wanted)


def _known(found: Definition) -> str:
    told = ", ".join(
        f"{each.alias or each.model} of {each.size} KiB"
        + ("" if each.slot is None else f" in slot {each.slot}")
        for each in found.devices
    )
    return f"there are: {told or 'none'}"
