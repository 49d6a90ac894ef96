"""``pc-dimm``: a memory device that takes its memory from a back-end.

The refusals and their order are QEMU 7.2's (hw/mem/pc-dimm.c). What plugs a DIMM in -
slot, address, the map, the guest's registers - is :mod:`guestmap.machine.hotplug.handler`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, StateError
from guestmap.machine.hotplug.backends import MemoryBackend
from guestmap.machine.options.device import DeviceSpec
from guestmap.qom import (
    INT32,
    STR,
    UINT32,
    UINT64,
    Device,
    Object,
    ObjectType,
    Property,
    TypeTable,
    device_link,
    device_property,
)

if TYPE_CHECKING:
    from guestmap.memory import MemoryRegion
    from guestmap.qom import JsonValue

ANY_SLOT = -1

DIMM = "pc-dimm"
OTHER_MEMORY_DEVICES = frozenset({"nvdimm", "virtio-mem-pci", "virtio-pmem-pci", "sgx-epc"})
"""QEMU's drivers of memory devices that are not modelled."""


class PcDimm(Device):
    """A DIMM.

    Attributes:
        addr: where it is in the guest's memory; 0 for any, until it is plugged.
        node: the NUMA node that the guest is told.
        slot: 0 to 255; -1 for any, until it is plugged.
        nodes: how many NUMA nodes the machine has.
        plugged: whether it is in the memory map.
    """

    nodes: int
    plugged = False

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.addr = 0
        self.node = 0
        self.slot = ANY_SLOT

    @property
    def memdev(self) -> MemoryBackend | None:
        """The back-end."""
        backend: Any = self.link("memdev")
        found: MemoryBackend | None = backend
        return found

    @property
    def backend(self) -> MemoryBackend:
        """The same, of a DIMM that must have one.

        Raises:
            ConfigError: it has none; QEMU's text.
        """
        backend = self.memdev
        if backend is None:
            raise ConfigError("'memdev' property must be set")
        return backend

    @property
    def memory(self) -> tuple[MemoryBackend, MemoryRegion]:
        """The back-end and its memory.

        Raises:
            ConfigError: it has no back-end.
        """
        backend = self.backend
        region = backend.region
        assert region is not None, "a back-end in the tree has its memory"
        return backend, region

    @property
    def region(self) -> MemoryRegion:
        """The memory.

        Raises:
            ConfigError: it has no back-end.
        """
        return self.memory[1]

    @property
    def size(self) -> int:
        """Bytes; 0 without a back-end."""
        backend = self.memdev
        return backend.size if backend is not None else 0

    def do_realize(self) -> None:
        """Check node and back-end; who plugs the DIMM in takes the back-end.

        Raises:
            ConfigError: the machine has no such node, or somebody else has the back-end.
        """
        if self.node and self.node >= self.nodes:
            raise ConfigError(
                f"'DIMM property node has value {self.node}' which exceeds the number of numa"
                f" nodes: {self.nodes or 1}"
            )
        backend = self.backend
        if backend.mapped:
            raise ConfigError(f"can't use already busy memdev: {backend.name}")

    def unrealize(self) -> None:
        """Leave the machine, after the guest has let go of the DIMM.

        Raises:
            StateError: it is in the memory map (QEMU would lose track of its memory here).
        """
        if self.plugged:
            raise StateError(
                f"{self.type.name} '{self.id or self.name}' is in the memory map at"
                f" 0x{self.addr:x}: ask the guest for it with device_del"
            )
        super().unrealize()

    def do_unrealize(self) -> None:
        """Let the back-end go."""
        self.backend.mark_unused()

    def spec(self) -> DeviceSpec:
        """Return what makes a DIMM like this one, in the same place."""
        properties: dict[str, JsonValue] = {
            "memdev": self.backend.name, "node": self.node, "slot": self.slot, "addr": self.addr,
        }  # fmt: skip
        if self.id:
            properties["id"] = self.id
        return DeviceSpec(self.type.name, properties, is_json=True)

    def describe(self) -> dict[str, JsonValue]:
        """Return the DIMM as an element of QMP's ``query-memory-devices``."""
        data: dict[str, JsonValue] = {
            "addr": self.addr,
            "slot": self.slot,
            "node": self.node,
            "size": self.size,
            "memdev": self.get("memdev"),
            "hotplugged": self.hotplugged,
            "hotpluggable": self.hotpluggable,
        }
        return {"type": "dimm", "data": data | ({"id": self.id} if self.id else {})}


def free_slot(taken: Iterable[int], wanted: int, slots: int) -> int:
    """Return the slot for a DIMM: the one asked for, or the lowest free one.

    Args:
        taken: slots in use.
        wanted: 0 or more, or :data:`ANY_SLOT`.
        slots: how many there are.

    Raises:
        ConfigError: it is out of range or busy, or none is free; QEMU's texts.
    """
    if wanted != ANY_SLOT and not 0 <= wanted < slots:
        last = (slots - 1) % (1 << 64)  # QEMU counts slots without a sign
        raise ConfigError(f"invalid slot number {wanted}, valid range is [0-{last}]")
    if not slots:
        raise ConfigError("no slots where allocated, please specify the 'slots' option")
    busy = set(taken)
    if wanted == ANY_SLOT:
        free = next((slot for slot in range(slots) if slot not in busy), None)
        if free is None:
            raise ConfigError("no free slots available")
        return free
    if wanted in busy:
        raise ConfigError(f"slot {wanted} is busy")
    return wanted


def _size(dimm: Any) -> int:
    return int(dimm.size)


_PROPERTIES = (
    device_link("memdev", "memory-backend"),
    device_property("node", UINT32, default=0),
    device_property("addr", UINT64, default=0),
    Property("legacy-memdev", STR),
    device_property("slot", INT32, default=ANY_SLOT),
    Property("size", UINT64, _size),
)


def pc_dimm_types(nodes: int) -> tuple[ObjectType, ...]:
    """Return the type, for a machine with that many NUMA nodes (0 without NUMA)."""

    def make(type_: ObjectType, types: TypeTable) -> Object:
        dimm = PcDimm(type_, types)
        dimm.nodes = nodes
        return dimm

    return (
        ObjectType(
            DIMM,
            "device",
            interfaces=("memory-device",),
            properties=_PROPERTIES,
            make=make,
            description="DIMM memory module",
        ),
    )
