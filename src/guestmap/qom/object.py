"""Objects: what has a type, properties, children and links.

An object lives as long as somebody has it: whoever made it until it is given to a parent, its
parent, every strong link to it, and every :meth:`Object.ref`. When the last of them lets go, its
children go, its links let go, and :meth:`Object.finalize` runs, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.qom import property_types
from guestmap.qom.links import LinkHolder
from guestmap.qom.properties import Property

if TYPE_CHECKING:
    from guestmap.qom.object_type import ObjectType
    from guestmap.qom.type_table import TypeTable


class Object(LinkHolder):
    """An object of the tree, or one that is not in it yet or any more.

    Attributes:
        parent: the object that it is a child of, or None.
        name: its name in the parent; "" without one.
    """

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self.parent: Object | None = None
        self.name = ""
        self._children: dict[str, Object] = {}
        self._children_seen = False  # somebody has this dict: the next change makes a new one
        self._new = True  # nobody has let go of it yet
        self._leaving = False

    def __repr__(self) -> str:
        return f"<{self.type.name} {self.path if self.attached else 'outside the tree'}>"

    # -- what it is, where it is -------------------------------------------------------------------

    @property
    def children(self) -> Mapping[str, Object]:
        """Children by name in the order of adding: as they are now, whatever happens later."""
        with self._lock:
            self._children_seen = True
            return self._children

    def _changeable_children(self) -> dict[str, Object]:
        """Return the children for a change; those that somebody has seen stay as they are."""
        if self._children_seen:
            self._children, self._children_seen = dict(self._children), False
        return self._children

    @property
    def attached(self) -> bool:
        """Whether it is in the tree."""
        with self._lock:
            top = self
            while top.parent is not None:
                top = top.parent
            return top is self.types.root

    @property
    def path(self) -> str:
        """The canonical path; StateError outside a tree."""
        with self._lock:
            names = []
            top = self
            while top.parent is not None:
                names.append(top.name)
                top = top.parent
            if top is not self.types.root:
                raise StateError(f"an object of type {self.type.name!r} is not in the tree")
            return "/" + "/".join(reversed(names))

    def child(self, name: str) -> Object | None:
        """Return the child of that name, or None."""
        return self._children.get(name)

    def step(self, name: str) -> Object | None:
        """Return the child of that name, or what the link of that name points at, or None."""
        child = self._children.get(name)
        return child if child is not None else self._links.get(name)

    def walk(self) -> Iterator[Object]:
        """Yield the object and everything below it, parents first."""
        ahead: list[Object] = [self]
        while ahead:
            place = ahead.pop()
            yield place
            ahead += reversed(list(place.children.values()))

    # -- children ----------------------------------------------------------------------------------

    def add_child(self, name: str, child: Object) -> Object:
        """Make ``child`` a child of this object and return it.

        The property is ``child<TYPE>``. ``pic[*]`` becomes ``pic[0]`` or the next free number.

        Raises:
            ConfigError: the name is taken, or holds a "/" (see ``escape_name``).
            StateError: the child has a parent, is gone, or is above this object.
        """
        with self._lock:
            if child.parent is not None:
                raise StateError(f"{child!r} has a parent already")
            if self._finalized or child._finalized or child in (self.types.root, *self._upwards()):
                raise StateError(f"{child!r} cannot become a child of {self!r}")
            if not name or "/" in name:
                raise ConfigError(f"'{name}' cannot be the name of a child: escape its slashes")
            name = self._free_name(name)
            kind = property_types.child(child.type.name)
            self._instance[name] = Property(name, kind, lambda _: child.path)
            self._changeable_children()[name] = child
            child.parent, child.name = self, name
            self.types.names.add(child)
            return child

    def _upwards(self) -> Iterator[Object]:
        above: Object | None = self
        while above is not None:
            yield above
            above = above.parent

    def del_property(self, name: str) -> None:
        """Remove an instance property: a child leaves the tree, a link lets go."""
        with self._lock:
            if name in self._children:
                self._children[name].unparent()
                return
            if name not in self._instance:
                raise ConfigError(f"Property '{self.type.name}.{name}' not found")
            del self._instance[name]
            self._drop_link(name)

    def unparent(self) -> None:
        """Take the object out of the tree, and let go of it.

        :meth:`unparented` runs first. An object that was made and given to nobody is let go of,
        too; otherwise nothing happens without a parent.
        """
        with self._lock:
            if self._leaving:
                return
            self._leaving = True
            try:
                if self.parent is not None:
                    self.unparented()
            finally:
                self._leaving = self._new = False
                self._leave()
                self._finalize_if_unused()

    def _leave(self) -> None:
        parent = self.parent
        if parent is not None:
            del parent._changeable_children()[self.name]
            del parent._instance[self.name]
            self.types.names.remove(self)
            self.parent, self.name = None, ""

    # -- the end ---------------------------------------------------------------------------------

    def _finalize_if_unused(self) -> None:
        if self._finalized or self._new or self._uses or self.parent is not None:
            return
        if self is self.types.root:
            return
        self._finalized = True
        with ExitStack() as last_first:  # each step is taken, whatever the others raise
            last_first.callback(self.finalize)
            last_first.callback(self._empty_weak_links)
            last_first.callback(self._drop_links)
            for child in self.children.values():
                last_first.callback(child.unparent)

    def unparented(self) -> None:
        """Hook: the object is about to leave its parent.

        The path still leads to it, unless it goes because something above it went first.
        """

    def finalize(self) -> None:
        """Hook: nobody has the object any more; give back what it holds. Called once."""
