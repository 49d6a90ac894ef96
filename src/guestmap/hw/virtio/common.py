"""The common configuration structure of a modern driver (virtio 1.2, section 4.1.4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.hw.virtio import registers as bits
from guestmap.hw.virtio.queue import LARGEST, QueueState

if TYPE_CHECKING:
    from guestmap.hw.virtio.device import VirtioDevice, VirtioState

_OFFERED_SELECT, _OFFERED, _AGREED_SELECT, _AGREED = 0, 4, 8, 12
_CONFIG_VECTOR, _QUEUES, _STATUS, _GENERATION, _SELECT = 16, 18, 20, 21, 22
_SIZE, _VECTOR, _ENABLE, _NOTIFY_OFFSET = 24, 26, 28, 30
_DESC, _AVAIL, _USED, _END = 32, 40, 48, 56
_RESET = 58
_WORD = 0xFFFF_FFFF


def read(device: VirtioDevice[Any], offset: int) -> int:
    """Return the register at an offset, whole; 0 where none begins."""
    state: VirtioState = device.state
    queue = device.queue
    match offset:
        case 0:
            return state.offered_select
        case 4 if state.offered_select < 2:
            return (device.offered & ~bits.LEGACY_FEATURES) >> 32 * state.offered_select & _WORD
        case 8:
            return state.agreed_select
        case 12 if state.agreed_select < 2:
            return state.agreed[state.agreed_select]
        case 16 | 26:
            return bits.NO_VECTOR
        case 18:
            return len(state.queues)
        case 20:
            return state.status
        case 21:
            return state.generation
        case 22 | 30:
            return state.selected
        case _:
            return _read_queue(queue, offset) if queue is not None else 0


def _read_queue(queue: QueueState, offset: int) -> int:
    if offset == _SIZE:
        return queue.size
    if offset == _ENABLE:
        return int(queue.enabled)
    if offset in range(_DESC, _END, 4):
        return queue.rings[(offset - _DESC) // 8] >> 8 * (offset & 4) & _WORD
    return 0


def write(device: VirtioDevice[Any], offset: int, value: int) -> None:
    """Take a write of the register at an offset."""
    state: VirtioState = device.state
    queue = device.queue
    match offset:
        case 0:
            state.offered_select = value
        case 8:
            state.agreed_select = value
        case 12 if state.agreed_select < 2:
            low, high = state.agreed
            state.agreed = (value, high) if not state.agreed_select else (low, value)
            device.agree(state.agreed[0] | state.agreed[1] << 32)
        case 20:
            device.set_status(value & 0xFF)
        case 22 if value < LARGEST:
            state.selected = value
        case 28 if value != 1:
            device.break_off()
        case _ if queue is not None:
            _write_queue(queue, offset, value, device.QUEUES[state.selected])


def _write_queue(queue: QueueState, offset: int, value: int, largest: int) -> None:
    if offset == _SIZE:
        queue.wanted = value & 0xFFFF
        _resize(queue)
    elif offset == _ENABLE:
        _resize(queue)
        queue.desc, queue.avail, queue.used = queue.rings
        queue.enabled = True
    elif offset in range(_DESC, _END, 4):
        rings, number, shift = [*queue.rings], (offset - _DESC) // 8, 8 * (offset & 4)
        rings[number] = rings[number] & ~(_WORD << shift) | value << shift
        queue.rings = (rings[0], rings[1], rings[2])
    elif offset == _RESET and value == 1:
        queue.enabled = False
        _forget(queue, largest)


def _resize(queue: QueueState) -> None:
    if 0 < queue.wanted <= LARGEST:
        queue.size = queue.wanted


def _forget(queue: QueueState, size: int) -> None:
    """Reset one queue; what a driver wrote of its place stays."""
    fresh = QueueState(size)
    for name in ("size", "desc", "avail", "used", "last_avail", "seen", "used_index", "signalled",
                 "in_use"):  # fmt: skip
        setattr(queue, name, getattr(fresh, name))
