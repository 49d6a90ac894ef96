"""Links between objects, and who is kept by whom.

A strong link keeps its target from being finalized, as :meth:`LinkHolder.ref` does. A weak link
does not: it becomes empty when its target is finalized.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import ConfigError, StateError
from guestmap.qom import property_types
from guestmap.qom.properties import LinkCheck, Property, link_property
from guestmap.qom.property_holder import PropertyHolder

if TYPE_CHECKING:
    from guestmap.qom.object import Object
    from guestmap.qom.object_type import ObjectType
    from guestmap.qom.type_table import TypeTable


class LinkHolder(PropertyHolder):
    """The part of :class:`guestmap.qom.object.Object` that knows links and references."""

    def __init__(self, type: ObjectType, types: TypeTable) -> None:  # noqa: A002
        super().__init__(type, types)
        self._links: dict[str, Object] = {}
        self._weak: dict[tuple[LinkHolder, str], None] = {}
        self._uses = 0
        self._finalized = False

    # -- links -------------------------------------------------------------------------------------

    def add_link(
        self,
        name: str,
        type_name: str,
        *,
        target: Object | None = None,
        check: LinkCheck | None = None,
        writable: bool = True,
        strong: bool = True,
        description: str = "",
    ) -> Property:
        """Add an instance property ``link<TYPE>``; see :func:`link_property`."""
        with self._lock:
            name = self._free_name(name)
            prop = link_property(
                name,
                type_name,
                check=check,
                writable=writable,
                strong=strong,
                description=description,
            )
            self._fit(prop, target)
            self._instance[name] = prop
            self.types.names.add_links((prop,))
            self.set_link(name, target)
            return prop

    def link(self, name: str) -> Object | None:
        """Return what a link points at, or None; ConfigError where there is no such link."""
        with self._lock:
            target = self._links.get(name)
            if target is None:
                self._link_property(name)
            return target

    def set_link(self, name: str, target: Object | None) -> None:
        """Point a link at another object, or at none.

        This is for the holder's own code: neither ``check`` nor read-only links refuse it.
        """
        with self._lock:
            prop = self._link_property(name)
            self._fit(prop, target)
            if target is self._links.get(name):
                return
            if target is not None:
                self._hold(prop, target)
            self._drop_link(name, target)

    def _link_property(self, name: str) -> Property:
        prop = self.find_property(name)
        if prop.link is None:
            raise ConfigError(f"Property '{self.type.name}.{name}' is not a link")
        return prop

    def _fit(self, prop: Property, target: Object | None) -> None:
        if target is None or prop.link is None:
            return
        if self._finalized:
            raise StateError(f"link '{prop.name}' is that of an object that is gone")
        if not target.is_a(prop.link.type_name):
            property_types.invalid_type(prop.name, prop.link.type_name)
        if target._finalized:
            raise StateError(f"link '{prop.name}' cannot point at an object that is gone")

    def _hold(self, prop: Property, target: LinkHolder) -> None:
        if prop.link is not None and prop.link.strong:
            target._uses += 1
        else:
            target._weak[self, prop.name] = None

    def _drop_link(self, name: str, successor: Object | None = None) -> None:
        """Let go of a link's target; the successor is held already."""
        target = self._links.pop(name, None)
        if successor is not None:
            self._links[name] = successor
        if target is None:
            return
        if (self, name) in target._weak:
            del target._weak[self, name]
        else:
            target.unref()

    def _drop_links(self) -> None:
        for name in list(self._links):
            self._drop_link(name)

    def _empty_weak_links(self) -> None:
        for holder, name in list(self._weak):
            holder._drop_link(name)

    # -- references --------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether a strong link or a :meth:`ref` holds it."""
        return self._uses > 0

    def ref(self) -> None:
        """Keep the object until :meth:`unref`; StateError where it is gone."""
        with self._lock:
            if self._finalized:
                raise StateError(f"an object of type {self.type.name!r} is gone")
            self._uses += 1

    def unref(self) -> None:
        """Let go of what :meth:`ref` kept; StateError where nothing is kept."""
        with self._lock:
            if not self._uses:
                raise StateError(f"{self!r} is let go of more often than held")
            self._uses -= 1
            self._finalize_if_unused()

    def _finalize_if_unused(self) -> None:
        raise NotImplementedError
