"""What QEMU takes and is of no use all the same: what the guest, KVM, vhost or the host will say.

Sources: Linux, arch/x86/mm/init_64.c and Documentation/admin-guide/mm/memory-hotplug.rst (memory
sections and blocks); QEMU, accel/kvm (KVM_CAP_NR_MEMSLOTS) and hw/virtio/vhost*.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import exact_size, format_size
from guestmap.domain.finding import PlanFinding
from guestmap.domain.machine_types import VIRTIO_MEM, Announcement
from guestmap.domain.placing import align_up, first_fit, largest_fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.domain.request import PlugRequest
    from guestmap.domain.situation import Situation

KVM_SLOTS = 32764
"""Memory slots of KVM on x86 since Linux 5.12; 509 before."""

OLD_SLOTS = 509
"""Memory slots of KVM before, and of a vhost backend that QEMU counts on."""

VHOST_USER_SLOTS = 8
"""Regions of a vhost-user backend that cannot be told of single ones."""

PAGES_PER_STRUCTURES = 64
"""Linux keeps 64 bytes (struct page) for each page of 4096: one 64th of the memory."""


def plug_cautions(
    situation: Situation, request: PlugRequest, address: int | None
) -> tuple[PlanFinding, ...]:
    """Return what will spoil a plug that QEMU takes.

    Args:
        situation: the machine.
        request: what is asked for.
        address: where the DIMM will be; None where that is not known.
    """
    if request.kind == VIRTIO_MEM:
        return (
            *_block_address(situation, request, address),
            *guest_cautions(situation, announced=False),
            *_slot_budget(situation),
            *_vhost_budget(situation),
            *_host_memory(situation, request),
            *_node(situation, request),
            *_orphans(situation),
        )
    return (
        *_block_size(situation, request),
        *_block_address(situation, request, address),
        *_page_structures(situation, request),
        *_unheard(situation),
        *guest_cautions(situation),
        *_slot_budget(situation),
        *_vhost_budget(situation),
        *_host_memory(situation, request),
        *_node(situation, request),
        *_orphans(situation),
    )


def guest_cautions(situation: Situation, *, announced: bool = True) -> Iterator[PlanFinding]:
    """Find a guest that cannot answer, and a manager that will not know.

    Args:
        situation: the machine.
        announced: whether ACPI is how the guest learns of the device, as of a DIMM.
    """
    if not situation.running:
        yield PlanFinding(
            "not-running",
            f"the machine does not run ({situation.status}): its guest cannot answer",
            "let it run (QMP: cont); the guest finds what is asked of it when it runs",
        )
    if announced and situation.gpe_enabled is False:
        yield PlanFinding(
            "guest-without-acpi",
            "the guest has not enabled the event that announces memory (GPE 3): no operating"
            " system with ACPI runs in it, or it knows no memory hot-plug",
            "wait until the guest has booted; one that boots later finds the slots as they are",
        )
    if situation.is_libvirts:
        yield PlanFinding(
            "libvirt",
            "libvirt manages this machine and will not learn of the change: its own count of"
            " memory and slots becomes wrong",
            "prefer virsh attach-device and detach-device",
        )


def _block_size(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    size, block = request.size, situation.block
    if size % block:
        near = " or ".join(
            exact_size(each)
            for each in (size // block * block, align_up(size, block))
            if 0 < each <= largest_fit(situation)
        )
        yield PlanFinding(
            "section-size",
            f"{exact_size(size)} are not a multiple of {format_size(block)}, the blocks in which"
            f" {situation.block_by} takes memory: it refuses them, and answers that it succeeded"
            " all the same",
            f"give {near}" if near else f"there is no room for a block of {format_size(block)}",
            useless=True,
        )


def _block_address(
    situation: Situation, request: PlugRequest, address: int | None
) -> Iterator[PlanFinding]:
    block, window = situation.block, situation.window
    if address is None or window is None or address % block == 0:
        return
    better = first_fit(window, situation.devices, request.size, block)
    yield PlanFinding(
        "section-address",
        f"address {address:#x} is not a multiple of {format_size(block)}, the blocks in which"
        f" {situation.block_by} takes memory: it refuses it, and answers that it succeeded all the"
        " same",
        "no aligned gap is large enough: unplug a DIMM, or plug a smaller one"
        if better is None
        else f"give --addr {better:#x}"
        if request.addr is not None
        else "give another size",
        useless=True,
    )


def _unheard(situation: Situation) -> Iterator[PlanFinding]:
    if situation.rule.announces is Announcement.RTAS:
        yield PlanFinding(
            "no-acknowledgement",
            f"{situation.machine_title} announces memory through RTAS, and not through ACPI: what"
            " its guest makes of it (there is no _OST) is told to nobody, so no acknowledgement"
            " can be waited for",
            "look in the guest (lsmem), or give the socket of its agent (--agent)",
        )


def _page_structures(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    present = situation.ram + situation.used
    needed = request.size // PAGES_PER_STRUCTURES
    if needed > present // 2:
        yield PlanFinding(
            "page-structures",
            f"a Linux guest keeps {format_size(needed)} of page structures for it in the memory"
            f" that it has, which is {format_size(present)}: it may run out and refuse",
            "plug smaller DIMMs one after another, each brought online before the next, or boot"
            " the guest with memory_hotplug.memmap_on_memory=1",
        )


def _slot_budget(situation: Situation) -> Iterator[PlanFinding]:
    after = situation.sections + 1
    if not situation.kvm or after <= OLD_SLOTS:
        return
    if after > KVM_SLOTS:
        text = f"and KVM has {KVM_SLOTS}: QEMU will refuse it"
    else:
        text = f"and KVM has {OLD_SLOTS} before Linux 5.12, {KVM_SLOTS} since"
    yield PlanFinding(
        "kvm-slots",
        f"the guest will see {after} ranges of memory, each a KVM memory slot, {text}",
        "unplug a DIMM, or use fewer and larger ones",
    )


def _vhost_budget(situation: Situation) -> Iterator[PlanFinding]:
    if not situation.vhost:
        return
    after, limit = situation.sections + 1, situation.vhost_limit
    told = VHOST_USER_SLOTS if limit is None else min(limit, VHOST_USER_SLOTS)
    if after <= told:
        return
    host = "" if limit is None else f", this host's vhost {limit} (max_mem_regions)"
    yield PlanFinding(
        "vhost-slots",
        f"the guest will see {after} ranges of memory, and vhost carries"
        f" {', '.join(situation.vhost)}: older vhost-user backends take {VHOST_USER_SLOTS},"
        f" others {OLD_SLOTS}{host}; with too few QEMU refuses the DIMM",
        "use fewer and larger DIMMs, or a backend that takes more",
    )


def _host_memory(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    host = situation.host
    if host is not None and request.size > host.available:
        yield PlanFinding(
            "host-memory",
            f"the host has {format_size(host.available)} available and"
            f" {format_size(host.swap_free)} of free swap: when the guest uses all of"
            f" {format_size(request.size)} the host swaps, or ends a process",
            "plug less, or free memory on the host first",
        )


def _node(situation: Situation, request: PlugRequest) -> Iterator[PlanFinding]:
    if situation.nodes is None and request.node:
        yield PlanFinding(
            "node-unknown",
            f"how many NUMA nodes there are is not known: QEMU may refuse node {request.node}",
            "none needed: a refused plug is rolled back",
        )


def _orphans(situation: Situation) -> Iterator[PlanFinding]:
    for name in situation.orphans:
        yield PlanFinding(
            "orphan",
            f"the backend {name!r} ({format_size(situation.backends[name])}) belongs to no memory"
            " device: perhaps left by a plug that failed",
            f"have it deleted (guestmap dimms SOURCE --clean {name})",
        )
