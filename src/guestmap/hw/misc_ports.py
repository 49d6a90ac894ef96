"""Ports that hardly do anything: 80h, F0h, QEMU's VMware port and its KVM APIC helper."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.hw.declare import ISA_DEVICE, SWITCH, SYS_BUS_DEVICE, declare, fact, secret, setting
from guestmap.hw.device import U8, Device, IoRegion, Place, RegisterBlock, Space, Stateless
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL, STR, UINT8, UINT32, link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from guestmap.base import IrqLine

POST_PORT, FPU_PORT, VAPIC_PORT, VMPORT_PORT = 0x80, 0xF0, 0x7E, 0x5658

_BYTE = AccessSizes(min=1, max=1)


def _all_ones(_offset: int, size: int) -> int:
    return (1 << (8 * size)) - 1


def _ignore(_offset: int, _value: int, _size: int) -> None:
    pass


def _port(address: int, name: str, size: int, ops: MemoryRegionOps) -> tuple[Place, ...]:
    return (Place(Space.IO, address, IoRegion(name, size, ops)),)


@dataclass(slots=True)
class PostState:
    """The byte written last."""

    last: U8 = 0


class PostPort(RegisterBlock[PostState]):
    """Port 80h: programs write it to wait a microsecond, firmware to show how far it came."""

    def __init__(self) -> None:
        super().__init__(PostState())

    @property
    def last(self) -> int:
        """The byte written last."""
        return self.state.last

    def places(self) -> tuple[Place, ...]:
        """Return ``ioport80``, 1 byte; reads as FFh."""
        ops = MemoryRegionOps(read=_all_ones, write=self._write, impl=_BYTE)
        return _port(POST_PORT, "ioport80", 1, ops)

    def _write(self, offset: int, value: int, size: int) -> None:
        self.state.last = value & 0xFF


class FpuErrorPort(RegisterBlock[Stateless]):
    """Port F0h: any write clears the coprocessor's error interrupt (IBM PC/AT, IRQ 13)."""

    def __init__(self, irq: IrqLine) -> None:
        super().__init__(Stateless())
        self._irq = irq

    def places(self) -> tuple[Place, ...]:
        """Return ``ioportF0``, 1 byte; reads as FFh."""
        ops = MemoryRegionOps(read=_all_ones, write=self._write, impl=_BYTE)
        return _port(FPU_PORT, "ioportF0", 1, ops)

    def reset(self) -> None:
        """Lower the line."""
        self._irq.set(False)

    def _write(self, offset: int, value: int, size: int) -> None:
        self._irq.set(False)


class VmPort(Device[Stateless]):
    """The VMware backdoor port, answering that there is no such command.

    Commands and answers travel in the processor's registers, which a device does not see here; all
    ones is what QEMU 7.2 answers without the magic number in EAX.
    """

    TYPE = declare(
        "vmport",
        ISA_DEVICE,
        setting("x-read-set-eax", BOOL, True, SWITCH),
        setting("x-signal-unsupported-cmd", BOOL, True, SWITCH),
        setting("x-report-vmx-type", BOOL, True, SWITCH),
        setting("x-cmds-v2", BOOL, True, SWITCH),
        setting("vmware-vmx-version", UINT32, 6),
        setting("vmware-vmx-type", UINT8, 2),
    )

    def __init__(self) -> None:
        super().__init__(Stateless())

    def places(self) -> tuple[Place, ...]:
        """Return ``vmport``, 1 byte, 32-bit accesses inside."""
        double_word = AccessSizes(min=4, max=4)
        ops = MemoryRegionOps(
            read=_all_ones, write=_ignore, impl=double_word, endianness=Endianness.LITTLE
        )
        return _port(VMPORT_PORT, "vmport", 1, ops)


class VmMouse(Device[Stateless]):
    """VMware's absolute mouse: there, as in QEMU, but its commands are the VMware port's.

    Args:
        keyboard: the keyboard controller, whose mouse it would speak through.
    """

    TYPE = declare(
        "vmmouse",
        ISA_DEVICE,
        fact("i8042", link("i8042"), ""),
        secret("legacy-i8042", STR),
        user_creatable=True,
    )

    def __init__(self, keyboard: Device[Any]) -> None:
        super().__init__(Stateless())
        self._keyboard = keyboard

    @property
    def peers(self) -> Mapping[str, Device[Any]]:
        """The keyboard controller."""
        return {"i8042": self._keyboard}


class KvmVapic(Device[Stateless]):
    """The port that QEMU's kvmvapic option ROM talks to, with nobody behind it."""

    TYPE = declare("kvmvapic", SYS_BUS_DEVICE, hotpluggable=False)

    def __init__(self) -> None:
        super().__init__(Stateless())

    def places(self) -> tuple[Place, ...]:
        """Return ``kvmvapic``, 2 bytes; reads as all ones."""
        return _port(VAPIC_PORT, "kvmvapic", 2, MemoryRegionOps(read=_all_ones, write=_ignore))
