"""What goes wrong on a QMP connection: the error classes of the protocol and the one exception."""

from __future__ import annotations

from enum import StrEnum

from guestmap.base import GuestmapError


class ErrorClass(StrEnum):
    """The classes that a QMP error can have (QEMU, qapi/error.json: ``QapiErrorClass``)."""

    GENERIC = "GenericError"
    COMMAND_NOT_FOUND = "CommandNotFound"
    DEVICE_NOT_ACTIVE = "DeviceNotActive"
    DEVICE_NOT_FOUND = "DeviceNotFound"
    KVM_MISSING_CAP = "KVMMissingCap"


class QmpError(GuestmapError):
    """A request that is answered with an error.

    Attributes:
        cls: the class on the wire; everything that has no class of its own is ``GenericError``.
        desc: the text for people; QEMU's own words where QEMU has the same refusal.
    """

    def __init__(self, cls: str, desc: str) -> None:
        super().__init__(desc)
        self.cls = ErrorClass(cls)
        self.desc = desc


def generic(desc: str) -> QmpError:
    """Return the error that most refusals are: class ``GenericError``."""
    return QmpError(ErrorClass.GENERIC, desc)
