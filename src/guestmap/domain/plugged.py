"""What is plugged into a machine's device memory, and what its guest last said of each slot."""

from __future__ import annotations

from dataclasses import dataclass

from guestmap.inspect.map.report import Report

SLOT_KINDS = frozenset({"dimm", "nvdimm"})
"""Kinds of memory devices that sit in an ACPI slot."""

KNOWN_KINDS = SLOT_KINDS | {"virtio-mem", "virtio-pmem"}
"""Kinds of memory devices of which more is known than their place."""


@dataclass(frozen=True, slots=True)
class MemoryDevice(Report):
    """Something plugged into the device memory.

    Attributes:
        id: as given to device_add; None for one without.
        kind: QMP's word: ``dimm``, ``nvdimm``, ``virtio-mem``, ``virtio-pmem``, ...
        addr, size: guest-physical place, bytes: all that it may ever hold.
        slot, node: None for kinds that have none.
        backend: the memory backend's id, where it is known.
        hotplugged: plugged into the running machine, not there from the start; None: not known.
        present: bytes of it that the guest has now, where that is not all (virtio-mem).
        requested, block: bytes that the guest is asked to have, and in multiples of how many
            (virtio-mem).
        path: where it is in the object tree; None where it has an id, or that is not known.
    """

    id: str | None
    kind: str
    addr: int
    size: int
    slot: int | None = None
    node: int | None = None
    backend: str | None = None
    hotplugged: bool | None = True
    hotpluggable: bool = True
    present: int | None = None
    requested: int | None = None
    block: int | None = None
    path: str | None = None

    @property
    def plugged(self) -> int:
        """Bytes of RAM that it adds: none of persistent memory, and of kinds that are not known."""
        if self.kind == "dimm":
            return self.size
        return self.present or 0

    @property
    def name(self) -> str:
        """What names it to QEMU: its id, or its path; "" where neither is known."""
        return self.id or self.path or ""

    @property
    def end(self) -> int:
        """First address after it."""
        return self.addr + self.size

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        if self.id is not None:
            return self.id
        return self.path or f"the {self.kind} without id at {self.addr:#x}"


@dataclass(frozen=True, slots=True)
class SlotStatus(Report):
    """What the guest last said about a slot (its last _OST); 0, 0 where it never did."""

    slot: int
    device: str | None = None
    source: int = 0
    status: int = 0
