"""Who hears of the map: listeners, dirty logs, I/O event descriptors, coalesced MMIO."""

from guestmap.memory.hear.ioeventfd import EventNotifier, IoEventFd
from guestmap.memory.hear.listener import (
    PRIORITY_ACCEL,
    PRIORITY_DEV_BACKEND,
    PRIORITY_MIN,
    MemoryListener,
)

__all__ = [
    "PRIORITY_ACCEL",
    "PRIORITY_DEV_BACKEND",
    "PRIORITY_MIN",
    "EventNotifier",
    "IoEventFd",
    "MemoryListener",
]
