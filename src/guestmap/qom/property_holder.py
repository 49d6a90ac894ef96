"""What has a type and properties, before it can be in a tree."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.qom.names import numbered
from guestmap.qom.properties import Property
from guestmap.qom.values import JsonValue, TextValue

if TYPE_CHECKING:
    from guestmap.qom.object_type import ObjectType
    from guestmap.qom.type_table import TypeTable


class PropertyHolder:
    """The half of :class:`guestmap.qom.object.Object` that knows properties.

    Attributes:
        type, types: its type, and the table of types that it belongs to.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        self.type = type
        self.types = types
        self._lock = types.lock
        self._class = types.class_properties(type.name)
        self._instance: dict[str, Property] = {}

    def is_a(self, type_name: str) -> bool:
        """Whether its type is, inherits from or implements ``type_name``."""
        return self.types.is_a(self.type.name, type_name)

    def properties(self) -> tuple[Property, ...]:
        """Return class properties ("type" first), then those of the instance."""
        with self._lock:
            return (*self._class.values(), *self._instance.values())

    def find_property(self, name: str) -> Property:
        """Return a property; ConfigError, with QEMU's text, where there is none."""
        prop = self._instance.get(name) or self._class.get(name)
        if prop is None:
            raise ConfigError(f"Property '{self.type.name}.{name}' not found")
        return prop

    def has_property(self, name: str) -> bool:
        """Whether it has a property of that name."""
        return name in self._instance or name in self._class

    # -- values ------------------------------------------------------------------------------------

    def get(self, name: str) -> JsonValue:
        """Return a property's value; ConfigError where there is none, or it cannot be read."""
        with self._lock:
            prop = self.find_property(name)
            if prop.get is None:
                raise ConfigError(f"Property '{self.type.name}.{name}' is not readable")
            return prop.get(self)

    def set(self, name: str, value: JsonValue) -> None:
        """Set a property from a JSON value; ConfigError where it cannot be."""
        with self._lock:
            prop, put = self._writable(name)
            put(self, prop.type.check_json(name, value))

    def set_text(self, name: str, value: TextValue) -> None:
        """Set a property from text, as ``-device`` and ``device_add`` write it: ``on``."""
        with self._lock:
            prop, put = self._writable(name)
            put(self, prop.type.check_text(name, value))

    def set_line(self, name: str, value: str) -> None:
        """Set a property from a line of the human monitor's ``qom-set``: ``0-3,5`` is a list."""
        with self._lock:
            prop, put = self._writable(name)
            put(self, prop.type.check_line(name, value))

    def _writable(self, name: str) -> tuple[Property, Callable[[Any, Any], None]]:
        prop = self.find_property(name)
        if prop.set is None:
            raise ConfigError(f"Property '{self.type.name}.{name}' is not writable")
        if prop.guard is not None:
            prop.guard(self, name)
        return prop, prop.set

    # -- properties of the instance ----------------------------------------------------------------

    def add_property(self, prop: Property) -> Property:
        """Add an instance property and return it; ConfigError where the name is taken.

        A name that ends in ``[*]`` gets the first free number.
        """
        with self._lock:
            name = self._free_name(prop.name)
            if name != prop.name:
                prop = replace(prop, name=name)
            self._instance[name] = prop
            self.types.names.add_links((prop,))
            return prop

    def _free_name(self, name: str) -> str:
        name = numbered(name, self._instance)
        if PropertyHolder.has_property(self, name):  # nobody looks: what is made late is not made
            raise ConfigError(
                f"attempt to add duplicate property '{name}' to object (type '{self.type.name}')"
            )
        return name
