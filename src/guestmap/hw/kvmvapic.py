"""Port 7Eh, where QEMU's option ROM for KVM without an APIC in hardware would find its helper."""

from __future__ import annotations

from guestmap.hw.declare import SYS_BUS_DEVICE, declare
from guestmap.hw.device import DeviceModel, IoRegion, Place, Space, Stateless
from guestmap.hw.portio import all_ones, ignore
from guestmap.memory import MemoryRegionOps

PORT = 0x7E


class KvmVapic(DeviceModel[Stateless]):
    """The port that QEMU's kvmvapic option ROM talks to, with nobody behind it."""

    TYPE = declare("kvmvapic", SYS_BUS_DEVICE, hotpluggable=False)

    def __init__(self) -> None:
        super().__init__(Stateless())

    def places(self) -> tuple[Place, ...]:
        """Return ``kvmvapic``, 2 bytes; reads as all ones."""
        ops = MemoryRegionOps(read=all_ones, write=ignore)
        return (Place(Space.IO, PORT, IoRegion("kvmvapic", 2, ops)),)
