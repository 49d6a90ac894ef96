"""Writes that ring in the kernel: an I/O event descriptor costs the guest no exit.

A bell that the kernel does not take (there are too many, another one of any width is at the same
address) is no loss: its write comes out then, and the address space rings. Source:
Documentation/virt/kvm/api.rst, section 4.59.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.kvm.abi import BELL, IOEVENTFD, BellFlag, Cap
from guestmap.base import HostError
from guestmap.memory import MemoryListener
from guestmap.memory.hear import PRIORITY_ACCEL

if TYPE_CHECKING:
    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.memory import MemoryRegionSection
    from guestmap.memory.hear.ioeventfd import IoEventFd


class _Bell(NamedTuple):
    """A bell as the kernel has it; taking it back needs all of this to be the same."""

    match: int
    address: int
    size: int
    fd: int
    flags: BellFlag


class Bells(MemoryListener):
    """Keeps the bells of one VM in step with one address space.

    Args:
        vm: the VM.
        features: what the kernel can do.
        ports: whether the address space is that of ports.
    """

    priority = PRIORITY_ACCEL

    def __init__(self, vm: Handle, features: Features, *, ports: bool) -> None:
        self._vm = vm
        self._any_length = features.has(Cap.IOEVENTFD_ANY_LENGTH)
        self._there = features.has(Cap.IOEVENTFD)
        self._space = BellFlag.PIO if ports else BellFlag(0)
        self._assigned: dict[IoEventFd, _Bell] = {}
        self.name = "kvm-io" if ports else "kvm-memory"

    def eventfd_add(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
        """Have a write ring from now on."""
        del section
        if not self._there or not (bell.size or self._any_length):
            return
        flags = self._space | (BellFlag(0) if bell.data is None else BellFlag.DATAMATCH)
        made = _Bell(bell.data or 0, bell.address, bell.size, bell.notifier.fileno(), flags)
        try:
            self._vm.call(IOEVENTFD, BELL.pack(*made), f"a bell at 0x{bell.address:x}")
        except HostError:
            return
        self._assigned[bell] = made

    def eventfd_del(self, section: MemoryRegionSection, bell: IoEventFd) -> None:
        """Have a write come out again."""
        del section
        made = self._assigned.pop(bell, None)
        if made is not None and self._vm.fd >= 0:
            gone = made._replace(flags=made.flags | BellFlag.DEASSIGN)
            self._vm.call(IOEVENTFD, BELL.pack(*gone), f"the bell at 0x{bell.address:x}")
