"""The shapes of the answers that a survey needs (QEMU QMP Reference Manual), and their bounds.

A peer may answer anything; what is not of these shapes is a PeerError, and never a wrong plan.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

Size = Annotated[int, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0, le=1 << 16)]
SlotName = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{1,5}$")]


class MachineMemory(msgspec.Struct, rename="kebab"):
    """The property ``memory`` of the machine."""

    size: Size = 0
    max_size: Size = 0
    slots: Count = 0


class DeviceData(msgspec.Struct, rename="kebab"):
    """What the kinds of memory devices have in common, as far as they have it."""

    id: str | None = None
    addr: Size | None = None
    memaddr: Size | None = None
    size: Size = 0
    max_size: Size = 0
    slot: int | None = None
    node: int | None = None
    memdev: str | None = None
    requested_size: Size | None = None
    block_size: Size | None = None
    hotplugged: bool | None = None
    hotpluggable: bool = True


class MemoryDeviceInfo(msgspec.Struct):
    """One of query-memory-devices."""

    type: str
    data: DeviceData


class Ospm(msgspec.Struct, rename="kebab"):
    """One of query-acpi-ospm-status; CPUs have slots too."""

    slot: SlotName
    slot_type: str
    source: Size
    status: Size
    device: str | None = None


class Memdev(msgspec.Struct):
    """One of query-memdev."""

    size: Size
    id: str | None = None


class Named(msgspec.Struct):
    """One of qom-list."""

    name: str
    type: str = ""


class StatusInfo(msgspec.Struct):
    """The answer to query-status."""

    status: str
    running: bool


class Kvm(msgspec.Struct):
    """The answer to query-kvm."""

    enabled: bool


class Migration(msgspec.Struct):
    """The answer to query-migrate; "" where there never was one."""

    status: str = ""


class Sizes(msgspec.Struct, rename="kebab"):
    """The answer to query-memory-size-summary."""

    base_memory: Size
    plugged_memory: Size = 0


class Target(msgspec.Struct):
    """The answer to query-target."""

    arch: str


class Uuid(msgspec.Struct, rename={"uuid": "UUID"}):
    """The answer to query-uuid; all zeros where it was given none."""

    uuid: str


class CpuThread(msgspec.Struct, rename="kebab"):
    """One of query-cpus-fast: the thread of the host that it is."""

    thread_id: int


class PciBridgeInfo(msgspec.Struct):
    """What is behind a bridge of query-pci; nothing where it has no member ``devices``."""

    devices: list[PciDeviceInfo] = []


class PciDeviceInfo(msgspec.Struct):
    """One function of query-pci."""

    qdev_id: str = ""
    pci_bridge: PciBridgeInfo | None = None


class PciInfo(msgspec.Struct):
    """One of query-pci."""

    devices: list[PciDeviceInfo] = []
