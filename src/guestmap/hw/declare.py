"""How a type is declared: one call for the type, one for each of its properties.

QEMU's devices have two sorts of properties. *Settings* are given when a device is made (QEMU's
"qdev properties": ``-device DRIVER,KEY=VALUE``); ``info qtree`` prints them, and they are fixed
once the device is realized. *Facts* tell how things are. A value is what the object itself says
(its ``value(name, fallback)``), otherwise the one that is declared.

Names, parents, interfaces, properties and defaults are those that QEMU 7.2 tells of itself
(``qom-list-types``, ``qom-list-properties``, ``device-list-properties``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from guestmap.base.dataclass import dataclass
from guestmap.qom import (
    UNSET,
    JsonValue,
    ObjectType,
    Property,
    PropertyType,
    Unset,
    enum,
    link,
    refuse_when_realized,
)

ON_OFF_AUTO = enum("OnOffAuto", ("auto", "on", "off"))

SWITCH = "on/off"
"""QEMU's description of a setting that is one bit."""
CHARDEV = "ID of a chardev to use as a backend"


@dataclass(frozen=True, slots=True)
class DeclaredType(ObjectType):
    """A type that tells all that is to be known of its objects before there is one.

    Attributes:
        base: the declaration of the parent, where that is one of ours.
        settings: the names of its own settings, in the order in which ``info qtree`` prints them;
            those of its ancestors follow.
        once_realized: properties that a realized device has besides those of its class.
        inputs: groups of interrupt lines that come in: the group's name, and how many there are.
        bus: the type of bus that it sits on itself; "" for its parent's.
        buses: what a device has for others to sit on: type and name.
        hotpluggable: whether devices of it can come and go while the machine runs.
        user_creatable: whether a user may name it as a driver.
    """

    base: DeclaredType | None = None
    settings: tuple[str, ...] = ()
    once_realized: tuple[Property, ...] = ()
    inputs: tuple[tuple[str, int], ...] = ()
    bus: str = ""
    buses: tuple[tuple[str, str], ...] = ()
    hotpluggable: bool = True
    user_creatable: bool = False

    @property
    def sits_on(self) -> str:
        """The type of bus that its devices sit on; "" where they sit on none."""
        return next((each.bus for each in self.lineage if each.bus), "")

    @property
    def lineage(self) -> tuple[DeclaredType, ...]:
        """The type itself and its declared ancestors, the nearest first."""
        return (self, *(self.base.lineage if self.base is not None else ()))


def declare(
    name: str,
    parent: DeclaredType | str,
    *properties: Property,
    abstract: bool = False,
    interfaces: tuple[str, ...] = (),
    once_realized: tuple[Property, ...] = (),
    inputs: tuple[tuple[str, int], ...] = (),
    bus: str = "",
    buses: tuple[tuple[str, str], ...] = (),
    hotpluggable: bool = True,
    user_creatable: bool = False,
) -> DeclaredType:
    """Return a type of its own properties: settings and facts, in QEMU's order."""
    base = parent if isinstance(parent, DeclaredType) else None
    return DeclaredType(
        name,
        parent.name if isinstance(parent, DeclaredType) else parent,
        abstract=abstract,
        interfaces=interfaces,
        properties=properties,
        base=base,
        settings=tuple(each.name for each in properties if each.guard is not None),
        once_realized=once_realized,
        inputs=inputs,
        bus=bus,
        buses=buses,
        hotpluggable=hotpluggable,
        user_creatable=user_creatable,
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


def choice(name: str, type: PropertyType, value: JsonValue) -> Property:  # noqa: A002
    """Return what is set from outside, as a setting is, and ``info qtree`` does not print.

    ``value`` is what is read where nobody has set it.
    """

    def put(obj: Any, new: Any) -> None:
        obj.values[name] = new

    return Property(name, type, _reader(name, value), put)


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


def output(name: str = "unnamed-gpio-out[0]") -> Property:
    """Return an interrupt line that goes out: a link to the input that it leads to."""
    return fact(name, link("irq"), "")


def secret(name: str, type: PropertyType) -> Property:  # noqa: A002
    """Return a property that is listed but cannot be read, as QEMU's ``legacy-`` twins."""
    return Property(name, type)


def _reader(name: str, fallback: JsonValue) -> Callable[[Any], JsonValue]:
    def read(obj: Any) -> JsonValue:
        value: JsonValue = obj.value(name, fallback)
        return value

    return read


ISA_DEVICE = declare("isa-device", "device", abstract=True, bus="ISA")
SYS_BUS_DEVICE = declare("sys-bus-device", "device", abstract=True, bus="System")

HAS_AML = ("acpi-dev-aml-interface",)
"""The interface of devices that the firmware's tables describe."""
