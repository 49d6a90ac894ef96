"""The types that a machine knows, and what follows from their inheritance."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.base.dataclass import dataclass
from guestmap.qom.builtin import BUILTIN_TYPES
from guestmap.qom.errors import NotFoundError
from guestmap.qom.name_index import NameIndex
from guestmap.qom.object_type import ObjectType

if TYPE_CHECKING:
    from guestmap.qom.object import Object
    from guestmap.qom.properties import Property
    from guestmap.qom.tree import ObjectTree


@dataclass(frozen=True, slots=True)
class _Resolved:
    """A type with everything that it inherits."""

    type: ObjectType
    is_a: frozenset[str]
    properties: Mapping[str, Property]
    make: Callable[[ObjectType, TypeTable], Object] | None


class TypeTable:
    """The types of one machine, and through them its object tree.

    "object", "container", "device", "bus" and the interfaces of :mod:`guestmap.qom.builtin` are
    there from the start. Types may be added in any order; a parent must be there when its child
    is first used.

    Attributes:
        lock: taken by every public operation on the table, its tree and its objects. Getters and
            setters run inside it: they must not wait for another thread that may want it.
    """

    def __init__(self, types: Iterable[ObjectType] = ()) -> None:
        self.lock = threading.RLock()
        self._types: dict[str, ObjectType] = {}
        self._resolved: dict[str, _Resolved] = {}
        self._later: Callable[[], Iterable[ObjectType]] | None = None
        self._tree: ObjectTree | None = None
        self.names = NameIndex()
        self.add(*BUILTIN_TYPES, *types)

    def add(self, *types: ObjectType) -> None:
        """Add types, all or none; ConfigError where a name is taken."""
        with self.lock:
            known = dict(self._types)
            for type_ in types:
                if type_.name in known:
                    raise ConfigError(f"there is a type {type_.name!r} already")
                known[type_.name] = type_
                self.names.add_links(type_.properties)
            self._types = known

    def add_later(self, types: Callable[[], Iterable[ObjectType]]) -> None:
        """Have types be added when one is asked for that is not there, or all are."""
        self._later = types

    def add_missing(self, types: Iterable[ObjectType]) -> None:
        """Add those types whose names are not taken yet."""
        with self.lock:
            self.add(*(each for each in types if each.name not in self._types))

    @property
    def known(self) -> Collection[str]:
        """The names of the types that are there already."""
        return self._types.keys()

    def _complete(self) -> None:
        """Add what was to be added later."""
        with self.lock:
            later, self._later = self._later, None
            if later is not None:
                self.add_missing(later())

    def get(self, name: str) -> ObjectType:
        """Return the type of that name; NotFoundError, with QEMU's text, where there is none."""
        if name not in self:
            raise NotFoundError(f"Class '{name}' not found")
        return self._types[name]

    def __contains__(self, name: str) -> bool:
        if name not in self._types:
            self._complete()
        return name in self._types

    def is_a(self, name: str, ancestor: str) -> bool:
        """Whether a type is ``ancestor``, inherits from it or implements it."""
        resolved = self._resolved.get(name)
        return ancestor in (self._resolve(name) if resolved is None else resolved).is_a

    def all(
        self, implements: str | None = None, abstract: bool | None = None
    ) -> tuple[ObjectType, ...]:
        """Return the types that are or implement ``implements``.

        Args:
            implements: a type or interface; all types where None.
            abstract: include abstract types (QMP's ``qom-list-types`` does not unless told).
        """
        self._complete()
        return tuple(
            type_
            for type_ in self._types.values()
            if (abstract or not type_.abstract)
            and (implements is None or implements in self._resolve(type_.name).is_a)
        )

    def properties(self, name: str) -> tuple[Property, ...]:
        """Return the class properties of a type, the most distant ancestor's first."""
        return tuple(self._resolve(name).properties.values())

    def class_properties(self, name: str) -> Mapping[str, Property]:
        """Return the same by name; do not change it."""
        return self._resolve(name).properties

    def new(self, name: str) -> Object:
        """Make an object, outside the tree; ConfigError where the type is abstract."""
        resolved = self._resolve(name)
        if resolved.type.abstract or resolved.make is None:
            raise ConfigError(f"type {name!r} is abstract: there can be no object of it")
        return resolved.make(resolved.type, self)

    # -- the tree --------------------------------------------------------------------------------

    @property
    def tree(self) -> ObjectTree:
        """The tree that links of these objects are looked up in; StateError before it is made."""
        if self._tree is None:
            raise StateError("these types have no object tree yet")
        return self._tree

    def plant(self, tree: ObjectTree) -> None:
        """Note the tree; a table has one at most (StateError)."""
        with self.lock:
            if self._tree is not None:
                raise StateError("these types have an object tree already")
            self._tree = tree

    @property
    def root(self) -> Object | None:
        """The tree's root, or None."""
        return self._tree.root if self._tree is not None else None

    # -- inheritance -----------------------------------------------------------------------------

    def _resolve(self, name: str, below: frozenset[str] = frozenset()) -> _Resolved:
        resolved = self._resolved.get(name)
        if resolved is None:
            with self.lock:
                resolved = self._resolved[name] = self._inherit(self.get(name), below)
        return resolved

    def _inherit(self, type_: ObjectType, below: frozenset[str]) -> _Resolved:
        """Return a type with what its ancestors have; ``below`` are the types that ask for it."""
        if type_.name in below:
            raise ConfigError(f"type {type_.name!r} inherits from itself")
        below |= {type_.name}
        is_a = {type_.name}
        properties: dict[str, Property] = {}
        make = type_.make
        if type_.parent is not None:
            parent = self._resolve(type_.parent, below)
            is_a |= parent.is_a
            properties |= parent.properties
            make = make or parent.make
        for interface in type_.interfaces:
            is_a |= self._resolve(interface, below).is_a
        for prop in type_.properties:
            if prop.name in properties:
                raise ConfigError(
                    f"attempt to add duplicate property '{prop.name}' to class '{type_.name}'"
                )
            properties[prop.name] = prop
        return _Resolved(type_, frozenset(is_a), properties, make)
