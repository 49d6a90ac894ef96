"""How the type tables are written: one call for each type, one for each property.

QEMU's devices have two sorts of properties. *Settings* are given when a device is made (QEMU's
"qdev properties": ``-device DRIVER,KEY=VALUE``); ``info qtree`` prints them, and they are fixed
once the device is realized. Everything else tells how things are. A value is what the object
itself says (:meth:`Adapter.value <guestmap.machine.composition.objects.Adapter.value>`), otherwise
the one in the table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guestmap.qom import (
    UNSET,
    JsonValue,
    ObjectType,
    Property,
    PropertyType,
    Unset,
    enum,
    refuse_when_realized,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ON_OFF_AUTO = enum("OnOffAuto", ("auto", "on", "off"))
FDC_DRIVE = enum("FdcDriveType", ("144", "288", "120", "none", "auto"))
LOST_TICKS = enum("LostTickPolicy", ("discard", "delay", "slew"))

SWITCH = "on/off"
"""QEMU's description of a setting that is one bit."""
CHARDEV = "ID of a chardev to use as a backend"


@dataclass(frozen=True, slots=True)
class MachineType(ObjectType):
    """A type of this machine's.

    Attributes:
        settings: the names of its own settings, in the order in which ``info qtree`` prints them;
            those of its ancestors follow.
        once_realized: properties that a realized device has besides those of its class.
        hotpluggable: whether devices of it can come and go while the machine runs.
    """

    settings: tuple[str, ...] = ()
    once_realized: tuple[Property, ...] = ()
    hotpluggable: bool = True


def kind(
    name: str,
    parent: str,
    *properties: Property,
    abstract: bool = False,
    interfaces: tuple[str, ...] = (),
    once_realized: tuple[Property, ...] = (),
    hotpluggable: bool = True,
) -> MachineType:
    """Return a type of its own properties: settings and facts, in QEMU's order."""
    return MachineType(
        name,
        parent,
        abstract=abstract,
        interfaces=interfaces,
        properties=properties,
        settings=tuple(each.name for each in properties if each.guard is not None),
        once_realized=once_realized,
        hotpluggable=hotpluggable,
    )


def setting(
    name: str,
    type: PropertyType,  # noqa: A002 - what it is called everywhere here
    default: JsonValue | Unset = UNSET,
    description: str = "",
    *,
    value: JsonValue = "",
) -> Property:
    """Return a setting; ``value`` is what is read where a type without ``default`` was not set."""

    def put(obj: Any, new: Any) -> None:
        obj.values[name] = new

    fallback = value if default is UNSET else default
    return Property(
        name, type, _reader(name, fallback), put, default, description, refuse_when_realized
    )


def fact(
    name: str,
    type: PropertyType,  # noqa: A002
    value: JsonValue = None,
    description: str = "",
    *,
    default: JsonValue | Unset = UNSET,
) -> Property:
    """Return a property that is not set from outside; ``value`` unless the object knows better."""
    return Property(name, type, _reader(name, value), None, default, description)


def secret(name: str, type: PropertyType) -> Property:  # noqa: A002
    """Return a property that is listed but cannot be read, as QEMU's ``legacy-`` twins."""
    return Property(name, type)


def _reader(name: str, fallback: JsonValue) -> Callable[[Any], JsonValue]:
    def read(obj: Any) -> JsonValue:
        value: JsonValue = obj.value(name, fallback)
        return value

    return read
