"""What VMware's guests look for: the backdoor port, and the mouse that speaks through it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.declare import ISA_DEVICE, SWITCH, declare, fact, secret, setting
from guestmap.hw.device import DeviceModel, IoRegion, Place, Space, Stateless
from guestmap.hw.portio import all_ones, ignore
from guestmap.memory import AccessSizes, Endianness, MemoryRegionOps
from guestmap.qom import BOOL, STR, UINT8, UINT32, link

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PORT = 0x5658


class VmPort(DeviceModel[Stateless]):
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
            read=all_ones, write=ignore, impl=double_word, endianness=Endianness.LITTLE
        )
        return (Place(Space.IO, PORT, IoRegion("vmport", 1, ops)),)


class VmMouse(DeviceModel[Stateless]):
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

    def __init__(self, keyboard: DeviceModel[Any]) -> None:
        super().__init__(Stateless())
        self._keyboard = keyboard

    @property
    def peers(self) -> Mapping[str, DeviceModel[Any]]:
        """The keyboard controller."""
        return {"i8042": self._keyboard}
