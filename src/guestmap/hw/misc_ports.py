"""Ports that hardly do anything: 80h, F0h, QEMU's VMware port and its KVM APIC helper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.memory import AccessSizes, Endianness, MemoryRegion, MemoryRegionOps

if TYPE_CHECKING:
    from guestmap.base import IrqLine
    from guestmap.memory import MemorySystem

POST_PORT, FPU_PORT, VAPIC_PORT, VMPORT_PORT = 0x80, 0xF0, 0x7E, 0x5658

_BYTE = AccessSizes(min=1, max=1)


def _all_ones(_offset: int, size: int) -> int:
    return (1 << (8 * size)) - 1


class PostPort:
    """Port 80h: programs write it to wait a microsecond, firmware to show how far it came.

    Attributes:
        region: ``ioport80``, 1 byte; reads as FFh.
        last: the byte written last.
    """

    def __init__(self, memory: MemorySystem) -> None:
        self.last = 0
        ops = MemoryRegionOps(read=_all_ones, write=self._write, impl=_BYTE)
        self.region: MemoryRegion = memory.io("ioport80", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((POST_PORT, self.region),)

    def reset(self) -> None:
        """Forget the byte written last."""
        self.last = 0

    def _write(self, offset: int, value: int, size: int) -> None:
        self.last = value & 0xFF


class FpuErrorPort:
    """Port F0h: any write clears the coprocessor's error interrupt (IBM PC/AT, IRQ 13).

    Attributes:
        region: ``ioportF0``, 1 byte; reads as FFh.
    """

    def __init__(self, memory: MemorySystem, irq: IrqLine) -> None:
        self._irq = irq
        ops = MemoryRegionOps(read=_all_ones, write=self._write, impl=_BYTE)
        self.region: MemoryRegion = memory.io("ioportF0", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((FPU_PORT, self.region),)

    def reset(self) -> None:
        """Lower the line."""
        self._irq.set(False)

    def _write(self, offset: int, value: int, size: int) -> None:
        self._irq.set(False)


class VmPort:
    """The VMware backdoor port, answering that there is no such command.

    Commands and answers travel in the processor's registers, which a device does not see here; all
    ones is what QEMU 7.2 answers without the magic number in EAX.

    Attributes:
        region: ``vmport``, 1 byte, 32-bit accesses inside.
    """

    def __init__(self, memory: MemorySystem) -> None:
        double_word = AccessSizes(min=4, max=4)
        ops = MemoryRegionOps(
            read=_all_ones, write=_ignore, impl=double_word, endianness=Endianness.LITTLE
        )
        self.region: MemoryRegion = memory.io("vmport", 1, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((VMPORT_PORT, self.region),)

    def reset(self) -> None:
        """Do nothing: the port has no state."""


class KvmVapic:
    """The port that QEMU's kvmvapic option ROM talks to, with nobody behind it.

    Attributes:
        region: ``kvmvapic``, 2 bytes; reads as all ones.
    """

    def __init__(self, memory: MemorySystem) -> None:
        ops = MemoryRegionOps(read=_all_ones, write=_ignore)
        self.region: MemoryRegion = memory.io("kvmvapic", 2, ops)
        self.regions: tuple[tuple[int, MemoryRegion], ...] = ((VAPIC_PORT, self.region),)

    def reset(self) -> None:
        """Do nothing: the port has no state."""


def _ignore(_offset: int, _value: int, _size: int) -> None:
    pass
