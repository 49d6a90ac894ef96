"""Properties: the named, typed values of an object.

A class property belongs to a type and is inherited; an instance property is added to one object.
The functions below make the usual kinds; anything else is a :class:`Property` of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.base.dataclass import dataclass
from guestmap.qom import property_types
from guestmap.qom.property_types import PropertyType
from guestmap.qom.values import UNSET, JsonValue, Unset

if TYPE_CHECKING:
    from guestmap.qom.object import Object

LinkCheck = Callable[[Any, str, "Object | None"], None]
"""Called with the holder, the link's name and the new target; raises to refuse it."""


@dataclass(frozen=True, slots=True)
class LinkRule:
    """What a link may point at, and whether it keeps its target from going away."""

    type_name: str
    check: LinkCheck | None = None
    strong: bool = True


@dataclass(frozen=True, slots=True)
class Property:
    """One property.

    Attributes:
        name: as in QMP.
        type: how a value is checked.
        get: called with the object, returns a JSON value; None: not readable.
        set: called with the object and a checked value; None: not writable.
        default: the value before anything is set, for ``device-list-properties``.
        description: for the same.
        guard: called with the object and the property's name before a new value is looked at;
            raises where none is taken now.
        link: for links, which objects it may point at.
    """

    name: str
    type: PropertyType
    get: Callable[[Any], JsonValue] | None = None
    set: Callable[[Any, Any], None] | None = None
    default: JsonValue | Unset = UNSET
    description: str = ""
    guard: Callable[[Any, str], None] | None = None
    link: LinkRule | None = None


def attribute_property(
    name: str,
    type: PropertyType,  # noqa: A002 - what it is called everywhere here
    attribute: str | None = None,
    *,
    writable: bool = True,
    default: JsonValue | Unset = UNSET,
    description: str = "",
    guard: Callable[[Any, str], None] | None = None,
) -> Property:
    """Return a property kept in a Python attribute (the name, with ``_`` for ``-``, unless given).

    Until the object has that attribute, ``default`` is read.
    """
    field = attribute or name.replace("-", "_")

    def get(obj: Any) -> JsonValue:
        value: JsonValue = getattr(obj, field) if default is UNSET else getattr(obj, field, default)
        return value

    def put(obj: Any, value: Any) -> None:
        setattr(obj, field, value)

    return Property(name, type, get, put if writable else None, default, description, guard)


def link_property(
    name: str,
    type_name: str,
    *,
    check: LinkCheck | None = None,
    writable: bool = True,
    strong: bool = True,
    description: str = "",
) -> Property:
    """Return a link to an object of ``type_name``; its JSON value is the target's path, or "".

    ``check`` is called before a writable link changes and raises to refuse the new target. A
    strong link keeps its target until it lets go; a weak one becomes empty when the target goes.
    """

    def get(obj: Object) -> str:
        target = obj.link(name)
        return target.path if target is not None and target.attached else ""

    def put(obj: Object, path: str) -> None:
        target = _target(obj, name, type_name, path) if path else None
        if check is not None:
            check(obj, name, target)
        obj.set_link(name, target)

    return Property(
        name,
        property_types.link(type_name),
        get,
        put if writable else None,
        description=description,
        link=LinkRule(type_name, check, strong),
    )


def _target(obj: Object, name: str, type_name: str, path: str) -> Object:
    """Find what a link is to point at, with QEMU's texts for what cannot be found."""
    tree = obj.types.tree
    target, ambiguous = tree.find(path, type_name)
    if ambiguous:
        raise ConfigError(f"Path '{path}' does not uniquely identify an object")
    if target is None:
        if tree.find(path) != (None, False):
            property_types.invalid_type(name, type_name)
        tree.not_found(path)
    return target
