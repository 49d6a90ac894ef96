"""libvirt's rules for a memory device that is to be added, in the order in which it applies them.

The same rules hold for the running machine and for the stored definition: libvirt 9.0 leaves most
of them out for the latter, and the start fails later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import KIB
from guestmap.domain.rules.errors import DomainError, refusal
from guestmap.domain.rules.host_rules import absent_nodes, hugetlbfs, no_pages, page_of
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.memory import (
    DRIVERS,
    NVDIMM,
    SLOTTED,
    VIRTIO_MEM,
    VIRTIO_PMEM,
    DimmAddress,
    PciAddress,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator

    from guestmap.domain.xml.definition import Definition
    from guestmap.domain.xml.memory import MemoryDef

LEAST_BLOCK_KIB = 2048
_LEAST_LABEL_KIB = 128


def refusals(found: Definition, device: MemoryDef, *, live: bool) -> Iterator[DomainError]:
    """Yield all that libvirt would say no to, what it says first first.

    Args:
        found: the domain that gets the device.
        device: what is added.
        live: it is added to the running machine.
    """
    for rule in (_content, _node_count, _alias, _room, _address, _slots, _host):
        yield from rule(found, device, live)


def _say(found: Definition) -> Callable[..., DomainError]:
    def say(what: str, **particulars: object) -> DomainError:
        return refusal(found.dialect, what, **particulars)  # type: ignore[arg-type]

    return say


def _content(found: Definition, device: MemoryDef, _live: bool) -> Iterator[DomainError]:
    """What is wrong with the device itself."""
    say = _say(found)
    if device.model == NVDIMM:
        if device.discard:
            yield say("discard")
        if device.label is not None and device.label < _LEAST_LABEL_KIB:
            yield say("label-small")
        elif device.label is not None and device.label >= device.size:
            yield say("label-large")
    if device.model == VIRTIO_PMEM and device.node is not None:
        yield say("pmem-node", remedy="leave <node> out")
    if device.model == VIRTIO_MEM:
        block, requested = device.block or 0, device.requested or 0
        if requested > device.size:
            yield say("requested-large", size=device.size)
        if not block or block & (block - 1):
            yield say("block-power", remedy=f"write <block unit='KiB'>{LEAST_BLOCK_KIB}</block>")
        elif block < LEAST_BLOCK_KIB:
            yield say("block-small", least=LEAST_BLOCK_KIB)
        elif requested % block:
            yield say("requested-block")


def _node_count(found: Definition, device: MemoryDef, _live: bool) -> Iterator[DomainError]:
    nodes = nodes_of(found)
    if device.node is not None and device.node >= nodes and device.model != VIRTIO_PMEM:
        which = f"0 to {nodes - 1}" if nodes > 1 else "0"
        yield _say(found)(
            "node-count", node=device.node, nodes=nodes, remedy=f"choose node {which}"
        )


def _alias(found: Definition, device: MemoryDef, _live: bool) -> Iterator[DomainError]:
    if device.alias is not None and device.alias in found.aliases:
        yield _say(found)("alias-taken", alias=device.alias, remedy="choose another alias")


def _room(found: Definition, device: MemoryDef, _live: bool) -> Iterator[DomainError]:
    say = _say(found)
    if found.max_memory is None:
        yield say("no-max", remedy="add <maxMemory slots='16' unit='GiB'>8</maxMemory>; it counts"
                  " from the next start")  # fmt: skip
    elif found.total + device.size > found.max_memory:
        left = found.max_memory - found.total
        yield say(
            "over-max", size=device.size, max=found.max_memory, remedy=f"{left} KiB may be added"
        )


def _address(found: Definition, device: MemoryDef, live: bool) -> Iterator[DomainError]:
    say, address = _say(found), device.address
    if device.model in SLOTTED:
        if address is not None and not isinstance(address, DimmAddress):
            yield say("dimm-address", driver=DRIVERS[device.model], remedy="write type='dimm'")
            return
    elif address is not None and not isinstance(address, PciAddress):
        yield say("pci-address", model=device.model, remedy="write type='pci'")
        return
    if device.node is None and device.model != VIRTIO_PMEM:
        yield say("no-node", remedy="add <node>0</node> to <target>")
    if isinstance(address, DimmAddress):
        yield from _dimm_address(found, device, address, live)
    elif device.base is not None:
        yield from _overlaps(found, device, device.base)


def _dimm_address(
    found: Definition, device: MemoryDef, address: DimmAddress, live: bool
) -> Iterator[DomainError]:
    say = _say(found)
    if address.slot >= found.slots:
        yield say(
            "slot-range", slot=address.slot, slots=found.slots,
            remedy=f"choose one below {found.slots}",
        )  # fmt: skip
    holder = next((each for each in found.slotted if each.slot == address.slot), None)
    if holder is not None:
        is_same = address.base is not None and holder.place == address.base
        what = "same-address" if is_same and not live else "slot-taken"
        yield say(what, slot=address.slot, remedy=_free_slots(found))
    elif address.base is not None:
        yield from _overlaps(found, device, address.base)


def _overlaps(found: Definition, device: MemoryDef, base: int) -> Iterator[DomainError]:
    """In 9.0 equal addresses only: of what overlaps QEMU tells."""
    end = base + device.size * KIB
    for each in found.devices:
        place = each.place
        if place is None:
            continue
        is_hit = place < end and base < place + each.size * KIB
        if base == place or (is_hit and found.dialect is LibvirtDialect.V12):
            yield _say(found)(
                "base-taken", base=base, start=base, end=end, other=place,
                remedy="leave base out: QEMU finds a gap",
            )  # fmt: skip
            return


def _slots(found: Definition, device: MemoryDef, live: bool) -> Iterator[DomainError]:
    # 9.0 counts every model, 12.9 those that have a slot.
    counted = found.devices if found.dialect is LibvirtDialect.V9 else found.slotted
    if found.dialect is LibvirtDialect.V12 and device.model not in SLOTTED:
        return
    if found.max_memory is not None and len(counted) + 1 > found.slots:
        what = "slots-full-live" if live else "slots-full-config"
        yield _say(found)(what, count=len(counted) + 1, slots=found.slots)


def _host(found: Definition, device: MemoryDef, _live: bool) -> Iterator[DomainError]:
    """What the host lacks."""
    for node in absent_nodes(device.nodemask)[:1]:
        yield _say(found)("host-node", node=node)
    size = page_of(found, device)
    if size is not None and hugetlbfs(size) is None:
        yield no_pages(found.dialect, size)


def nodes_of(found: Definition) -> int:
    """Return how many NUMA nodes the guest has; with memory hot-plug QEMU makes one at least."""
    return len(found.cells) or (1 if found.max_memory is not None else 0)


def free_slots(slots: int, busy: Container[int | None]) -> str:
    """Return the first slots that are free, ``free: 1, 2``; "" where none is."""
    free = [slot for slot in range(min(slots, 256)) if slot not in busy]
    return f"free: {', '.join(map(str, free[:8]))}" if free else ""


def _free_slots(found: Definition) -> str:
    return free_slots(found.slots, {each.slot for each in found.slotted}) or "no slot is free"
