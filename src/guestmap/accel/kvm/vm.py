"""A VM of KVM's, before it has vCPUs: its descriptor, what can be done with it, and its slots."""

from __future__ import annotations

from guestmap.accel.irqchip import InterruptChip
from guestmap.accel.kvm.abi import (
    CREATE_VM,
    SET_IDENTITY_MAP_ADDR,
    SET_TSS_ADDR,
    SMM_SPACE,
    Cap,
)
from guestmap.accel.kvm.caps import DEVICE, ask, open_device
from guestmap.accel.kvm.dirty import DirtyPages
from guestmap.accel.kvm.dirty_ring import DirtyRings
from guestmap.accel.kvm.guest_memfd import GuestMemory
from guestmap.accel.kvm.inhibitor import Inhibitor
from guestmap.accel.kvm.irqchip import KvmIrqchip
from guestmap.accel.kvm.kernel import Handle, HostKernel, Kernel
from guestmap.accel.kvm.memory_watch import MemoryWatch
from guestmap.accel.kvm.slot_table import SlotTable
from guestmap.accel.kvm.slots import Slots

_IDENTITY_MAP, _TSS = 0xFEFFC000, 0xFEFFD000
"""Pages that Intel's KVM takes for itself, between the I/O APIC's and the firmware's (QEMU's)."""


class Vm:
    """A VM. Close it when done.

    Args:
        kernel: whose; None for this host's.
        path: of its KVM device.
        dirty_ring: entries of each vCPU's dirty ring; 0: what the guest writes is told in bitmaps.
        chip: who has the interrupt controllers.
        guest_memfd: have RAM be files of the VM's own.

    Raises:
        HostError: this host has no KVM that this user may use, or it refuses.
        UnsupportedError: its KVM lacks something.

    Attributes:
        features: what the KVM of this host can do.
        handle: its descriptor.
        inhibitor: what its vCPUs go through on their way into the guest.
        table: its memory slots.
        slots: keeps them in step with the address space that it is registered on.
        smm_slots: the same of system management mode.
        watch: has accesses of memory come out that somebody wants to hear of.
        guest_memory: files that its RAM is; None without.
        irqchip: its interrupt controllers; None where the machine has all.
        rings: the dirty rings; None without.
    """

    def __init__(
        self,
        kernel: Kernel | None = None,
        path: str = DEVICE,
        dirty_ring: int = 0,
        chip: InterruptChip = InterruptChip.MACHINE,
        guest_memfd: bool = False,
    ) -> None:
        self.kernel = HostKernel() if kernel is None else kernel
        device = open_device(self.kernel, path)
        try:
            self.features = ask(device)
            self.handle = Handle(self.kernel, device.call(CREATE_VM), "the VM")
        finally:
            device.close()
        self.irqchip: KvmIrqchip | None = None
        self.rings: DirtyRings | None = None
        self.inhibitor = Inhibitor()
        self.guest_memory: GuestMemory | None = None
        try:
            if guest_memfd:
                self.guest_memory = GuestMemory(self.handle, self.features)
            self.table = SlotTable(self.handle, guest_memory=self.guest_memory)
            self._smm_table = SlotTable(self.handle, SMM_SPACE)
            self._reserve()
            if chip is not InterruptChip.MACHINE:
                self.irqchip = KvmIrqchip(self.handle, self.features, chip)
            if dirty_ring:
                tables = self.table, self._smm_table
                self.rings = DirtyRings(
                    self.handle, self.features, tables, dirty_ring, self.inhibitor.alone
                )
            self.slots = self._follower(self.table, 0)
            self.smm_slots = self._follower(self._smm_table, SMM_SPACE)
            self.watch = MemoryWatch((self.slots, self.smm_slots))
        except BaseException:
            self.handle.close()
            raise

    def _follower(self, table: SlotTable, space: int) -> Slots:
        return Slots(
            table, self.rings or DirtyPages(self.handle, self.features, space),
            limit=self.features.slots, address_bits=self.features.address_bits,
            alone=self.inhibitor.alone,
        )  # fmt: skip

    def _reserve(self) -> None:
        if self.features.has(Cap.SET_IDENTITY_MAP_ADDR):
            self.handle.call(SET_IDENTITY_MAP_ADDR, _IDENTITY_MAP.to_bytes(8, "little"))
        if self.features.has(Cap.SET_TSS_ADDR):
            self.handle.call(SET_TSS_ADDR, _TSS)

    def close(self) -> None:
        """Give everything back. Closing twice is allowed."""
        if self.rings is not None:
            self.rings.close()
        if self.guest_memory is not None:
            self.guest_memory.close()
        self.handle.close()
        self.table.release()
        self._smm_table.release()
