"""The ports of a legacy driver (virtio 1.2, section 4.1.4.10), without MSI-X."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.hw.pci import registers as reg
from guestmap.hw.virtio import registers as bits
from guestmap.hw.virtio.queue import LARGEST, place_legacy

if TYPE_CHECKING:
    from guestmap.hw.virtio.device import VirtioDevice, VirtioState

SIZE = 20
"""Bytes before the device's configuration."""
_PAGE_SHIFT = 12
_WORD = 0xFFFF_FFFF


def read(device: VirtioDevice[Any], offset: int, size: int) -> int:
    """Return the register that begins at an offset; all ones where none does."""
    state: VirtioState = device.state
    queue = device.queue
    match offset:
        case 0:
            return device.offered & _WORD
        case 4:
            return state.features & _WORD
        case 8:
            return 0 if queue is None else queue.desc >> _PAGE_SHIFT & _WORD
        case 12:
            return 0 if queue is None else queue.size
        case 14:
            return state.selected
        case 18:
            return state.status
        case 19:
            return device.read_isr()
        case _ if offset < SIZE:
            return _WORD
        case _:
            return device.read_configuration(offset - SIZE, size)


def write(device: VirtioDevice[Any], offset: int, value: int, size: int) -> None:
    """Take a write of the register that begins at an offset."""
    state: VirtioState = device.state
    match offset:
        case 4:  # one who takes the bad feature takes everything without a look: it gets nothing
            device.agree(0 if value & bits.BAD_FEATURE else value)
        case 8:
            _place(device, value)
        case 14 if value < LARGEST:
            state.selected = value
        case 16:
            device.kick(value)
        case 18:
            _set_status(device, value)
        case _ if offset >= SIZE:
            device.write_configuration(offset - SIZE, value, size)


def _place(device: VirtioDevice[Any], page: int) -> None:
    if not page:
        device.driver_reset()
    elif device.queue is not None:
        place_legacy(device.queue, page << _PAGE_SHIFT)


def _set_status(device: VirtioDevice[Any], value: int) -> None:
    device.set_status(value & 0xFF)
    if value == bits.ACKNOWLEDGED | bits.DRIVER:  # old drivers forget to ask for it
        command = device.config.data[reg.COMMAND] | reg.COMMAND_MASTER
        device.write_header(reg.COMMAND, command, 1)
