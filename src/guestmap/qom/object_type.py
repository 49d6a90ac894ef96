"""The description of one type of object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass

if TYPE_CHECKING:
    from guestmap.qom.object import Object
    from guestmap.qom.properties import Property
    from guestmap.qom.type_table import TypeTable


@dataclass(frozen=True, slots=True)
class ObjectType:
    """A type, as QEMU's ``TypeInfo`` (docs/devel/qom.rst).

    Attributes:
        name: unique in its table.
        parent: the type that this one inherits from; None for "object" and "interface".
        abstract: no object is of exactly this type.
        interfaces: what it implements besides what its ancestors do.
        properties: class properties, besides the inherited ones.
        make: the Python class (or a factory) of its objects; the nearest ancestor's where None.
        description: for people.
    """

    name: str
    parent: str | None = "object"
    abstract: bool = False
    interfaces: tuple[str, ...] = ()
    properties: tuple[Property, ...] = ()
    make: Callable[[ObjectType, TypeTable], Object] | None = None
    description: str = ""
