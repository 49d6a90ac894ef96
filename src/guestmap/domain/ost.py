"""What a guest says with _OST, in words.

The guest's operating system evaluates ``_OST(source event, status)`` of a device to tell how it
dealt with a notification; QEMU hands both numbers on as the event ACPI_DEVICE_OST. Source: Advanced
Configuration and Power Interface Specification 6.4, section 6.3.5 (_OST), tables of source event
codes and status codes; notification values: section 5.6.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from guestmap.inspect.map.report import Report

EJECT_REQUEST = 0x3
OS_SHUTDOWN = 0x100
OS_EJECT = 0x103
OS_INSERTION = 0x200

EJECTIONS = frozenset({EJECT_REQUEST, OS_EJECT})
"""Source events of an ejection: on request of the machine, and on the guest's own initiative."""

INSERTIONS = frozenset({0x0, 0x1, OS_INSERTION})
"""Source events of an insertion: Bus Check, Device Check, insertion processing."""

SOURCES: Mapping[int, str] = MappingProxyType(
    {
        0x0: "Bus Check",
        0x1: "Device Check",
        0x2: "Device Wake",
        EJECT_REQUEST: "Eject Request",
        0x4: "Device Check Light",
        0x5: "Frequency Mismatch",
        0x6: "Bus Mode Mismatch",
        0x7: "Power Fault",
        0x8: "Capabilities Check",
        0x9: "Device _PLD Check",
        0xB: "System Locality Information Update",
        0xD: "System Resource Affinity Update",
        0xE: "Heterogeneous Memory Attributes Update",
        0xF: "Error Disconnect Recover",
        OS_SHUTDOWN: "operating system shutdown",
        OS_EJECT: "ejection by the guest itself",
        OS_INSERTION: "insertion",
    }
)

_GENERAL: Mapping[int, str] = MappingProxyType(
    {0x0: "success", 0x1: "failure, no reason given", 0x2: "notification not recognized"}
)
_SHUTDOWN: Mapping[int, str] = MappingProxyType(
    {
        0x80: "shutdown request denied",
        0x81: "shutdown in progress",
        0x82: "shutdown completed",
        0x83: "graceful shutdown not supported",
    }
)
_EJECTION: Mapping[int, str] = MappingProxyType(
    {
        0x80: "ejection not supported by the guest",
        0x81: "device in use by an application",
        0x82: "device busy",
        0x83: "a device that depends on it is busy, or cannot be ejected",
        0x84: "ejection in progress",
    }
)
_INSERTION: Mapping[int, str] = MappingProxyType(
    {
        0x80: "insertion in progress",
        0x81: "the device's driver could not be loaded",
        0x82: "insertion not supported by the guest",
    }
)
_MISSING_BITS = ("memory", "I/O ports", "interrupts", "bus numbers")
_NO_RESOURCES = range(0x90, 0xA0)
_PENDING = {EJECT_REQUEST: 0x84, OS_EJECT: 0x84, 0x0: 0x80, 0x1: 0x80, OS_INSERTION: 0x80}


class OstKind(StrEnum):
    """What an answer comes to."""

    SUCCESS = "success"
    PENDING = "pending"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class OstAnswer(Report):
    """One evaluation of _OST, with its meaning.

    Attributes:
        source, status: the two numbers.
        about: what the answer is about, in words.
        says: what it says, in words.
    """

    source: int
    status: int
    about: str
    says: str
    kind: OstKind

    def __str__(self) -> str:
        return f"{self.about}: {self.says} (_OST {self.source:#x}, {self.status:#x})"


def explain(source: int, status: int) -> OstAnswer:
    """Return the meaning of any two numbers; unknown ones are called so."""
    about = SOURCES.get(source)
    if about is None:
        about = f"notification {source:#x}" if source < OS_SHUTDOWN else f"event {source:#x}"
    return OstAnswer(source, status, about, _says(source, status), _kind(source, status))


def _says(source: int, status: int) -> str:
    if status in _GENERAL:
        return _GENERAL[status]
    if source in EJECTIONS:
        table = _EJECTION
    elif source == OS_SHUTDOWN:
        table = _SHUTDOWN
    elif source in INSERTIONS:
        table = _INSERTION
        if status in _NO_RESOURCES:
            bits = [name for bit, name in enumerate(_MISSING_BITS) if status >> bit & 1]
            return f"insertion failed, resources unavailable: {', '.join(bits) or 'none named'}"
    else:
        return f"status {status:#x}, which is not defined for this event"
    return table.get(status, f"status {status:#x}, which the specification reserves")


def _kind(source: int, status: int) -> OstKind:
    if status == 0:
        return OstKind.SUCCESS
    return OstKind.PENDING if _PENDING.get(source) == status else OstKind.FAILURE
