"""Devices: objects that are set up first and realized then (QEMU's qdev)."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, cast

from guestmap.base import ConfigError, StateError
from guestmap.qom.object import Object
from guestmap.qom.properties import LinkCheck, Property, attribute_property, link_property
from guestmap.qom.property_types import BOOL, PropertyType
from guestmap.qom.values import UNSET, JsonValue, Unset

if TYPE_CHECKING:
    from guestmap.qom.bus import Bus
    from guestmap.qom.hotplug import HotplugHandler
    from guestmap.qom.object_type import ObjectType
    from guestmap.qom.type_table import TypeTable


class Device(Object):
    """A device of the machine; subclasses override :meth:`do_realize` and :meth:`do_unrealize`.

    Attributes:
        id: the user's name for it, or None.
        hotplugged: it came while the machine ran.
        hotpluggable: it can come and go while the machine runs; a class's choice.
        handler: the one that plugs it when its property ``realized`` is set, and that plugged it.
        canonical_path: where it was realized last, whatever became of it since; "" before.
    """

    hotpluggable = True

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.id: str | None = None
        self.hotplugged = False
        self.handler: HotplugHandler | None = None
        self.canonical_path = ""
        self.buses: tuple[Bus, ...] = ()
        self._realized = False
        self._changing = False

    @property
    def realized(self) -> bool:
        """Whether it is complete: part of the machine, its properties fixed."""
        return self._realized

    @property
    def parent_bus(self) -> Bus | None:
        """The bus that it sits on."""
        return cast("Bus | None", self.link("parent_bus"))

    def add_bus(self, name: str, bus: Bus) -> Bus:
        """Make ``bus`` a child of this device and return it."""
        with self._lock:
            self.add_child(name, bus)
            self.buses = (*self.buses, bus)
            return bus

    # -- realize -----------------------------------------------------------------------------------

    def realize(self, handler: HotplugHandler | None = None) -> None:
        """Bring the device into the machine.

        A device that has no parent yet becomes ``/machine/unattached/device[N]``. Then, in this
        order: ``handler.pre_plug``, :meth:`do_realize`, ``handler.plug``. What fails is raised
        again after everything before it was undone, the last first; an error while undoing is
        added to it as a note.

        Raises:
            StateError: it is realized already, or is just changing.
            ConfigError: it came while the machine runs, and cannot.
        """
        with self._lock:
            if self._realized or self._changing:
                raise StateError(f"{self!r} is realized already")
            if self.hotplugged and not self.hotpluggable:
                raise ConfigError(f"Device '{self.type.name}' does not support hotplugging")
            undo: list[Callable[[], None]] = []
            self._changing = True
            try:
                if self.parent is None and self.types.root is not None:
                    tree = self.types.tree
                    tree.adopt(self)
                    undo.append(lambda: tree.disown(self))
                if handler is not None:
                    handler.pre_plug(self)
                    undo.append(lambda: handler.undo_pre_plug(self))
                self.do_realize()
                undo.append(self.do_unrealize)
                if handler is not None:
                    handler.plug(self)
            except BaseException as error:
                _undo(undo, error)
                raise
            finally:
                self._changing = False
            self.handler = handler
            self.canonical_path = self.path if self.attached else ""
            self._realized = True

    def unrealize(self) -> None:
        """Take the device out of the machine; nothing happens where it is not in it."""
        with self._lock:
            if not self._realized or self._changing:
                return
            self._changing = True
            try:
                self.do_unrealize()
            finally:
                self._changing = False
                self._realized = False
                self.handler = None

    def do_realize(self) -> None:
        """Hook: check the properties and make what the device consists of; raise to refuse."""

    def do_unrealize(self) -> None:
        """Hook: take back what :meth:`do_realize` did."""

    def unparented(self) -> None:
        """Unrealize, let the buses go with everything on them, and leave the parent bus."""
        with ExitStack() as last_first:  # each step is taken, whatever the others raise
            last_first.callback(self._leave_bus)
            for bus in self.buses:
                last_first.callback(bus.unparent)
            last_first.callback(self.unrealize)

    def _leave_bus(self) -> None:
        self.buses = ()
        if (bus := self.parent_bus) is not None:
            bus.remove(self)


def _undo(steps: list[Callable[[], None]], error: BaseException) -> None:
    for step in reversed(steps):
        try:
            step()
        except Exception as further:  # noqa: BLE001 - the first error is the one to be told
            error.add_note(f"while undoing: {further}")


# -- properties of devices -------------------------------------------------------------------------


def refuse_when_realized(device: Device, name: str) -> None:
    """Refuse to change a property of a realized device, with QEMU's text."""
    if device.realized:
        raise ConfigError(f"Attempt to set property '{name}' {_which(device)}")


def _which(device: Device) -> str:
    who = f"device '{device.id}'" if device.id else "anonymous device"
    return f"on {who} (type '{device.type.name}') after it was realized"


def device_property(
    name: str,
    type: PropertyType,  # noqa: A002
    attribute: str | None = None,
    *,
    default: JsonValue | Unset = UNSET,
    description: str = "",
) -> Property:
    """Return a property that is fixed once the device is realized, kept in an attribute."""
    return attribute_property(
        name,
        type,
        attribute,
        default=default,
        description=description,
        guard=refuse_when_realized,
    )


def device_link(
    name: str, type_name: str, *, check: LinkCheck | None = None, description: str = ""
) -> Property:
    """Return a strong link that is fixed once the device is realized."""

    def fixed(device: Device, link: str, target: Object | None) -> None:
        if device.realized:
            raise ConfigError(f"Attempt to set link property '{link}' {_which(device)}")
        if check is not None:
            check(device, link, target)

    return link_property(name, type_name, check=fixed, description=description)


def _set_realized(device: Device, realized: bool) -> None:
    if realized == device.realized:
        return
    if realized:
        device.realize(device.handler)
    else:
        device.unrealize()


DEVICE_PROPERTIES = (
    link_property("parent_bus", "bus", writable=False, strong=False),
    Property("realized", BOOL, lambda device: device.realized, _set_realized),
    attribute_property("hotplugged", BOOL, writable=False),
    attribute_property("hotpluggable", BOOL, writable=False),
)
"""What every device has, in QEMU's order."""
