"""The composition tree: from a path to an object."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Never

from guestmap.base import ConfigError
from guestmap.qom.errors import AmbiguousPathError, NotFoundError

if TYPE_CHECKING:
    import threading

    from guestmap.qom.object import Object
    from guestmap.qom.type_table import TypeTable
    from guestmap.qom.values import JsonValue

UNATTACHED = "/machine/unattached"
"""Where devices are that nobody gave a parent."""


class ObjectTree:
    """The tree of one machine's objects; its root is a "container".

    Attributes:
        types: the machine's types; there is one tree for each table of types.
        root: the object at "/".
        lock: taken by every public operation of the tree and its objects.
    """

    def __init__(self, types: TypeTable) -> None:
        self.types = types
        self.root: Object = types.new("container")
        self.lock: threading.RLock = types.lock
        self._unattached = 0
        types.plant(self)

    def resolve(self, path: str, type_name: str | None = None) -> Object:
        """Return the object that a path leads to.

        A path that starts with "/" is followed from the root, through children and links. Any
        other is a partial path: it is tried from every object of the tree, and must fit once.

        Args:
            path: for example ``/machine/peripheral/d0``, ``d0``, ``d0/memdev``.
            type_name: look for objects of this type only.

        Raises:
            NotFoundError: nothing is there ("Device 'x' not found").
            AmbiguousPathError: a partial path fits more than once ("Path 'x' is ambiguous").
        """
        target, ambiguous = self.find(path, type_name)
        if ambiguous:
            raise AmbiguousPathError(f"Path '{path}' is ambiguous")
        return target if target is not None else self.not_found(path)

    def find(self, path: str, type_name: str | None = None) -> tuple[Object | None, bool]:
        """Do the same without errors; the second value says whether the path is ambiguous."""
        with self.lock:
            parts = [part for part in path.split("/") if part]
            if path.startswith("/"):
                return _follow(self.root, parts, type_name), False
            return _only(self._fits(parts, type_name))

    def _fits(self, parts: list[str], type_name: str | None) -> Iterator[Object]:
        """Yield what a partial path leads to, from wherever it leads to something."""
        firsts = self.types.names.named(parts[0]) if parts else None
        ahead = [self.root]
        while firsts is None and ahead:
            start = ahead.pop()
            ahead += start.children.values()
            target = _follow(start, parts, type_name)
            if target is not None:
                yield target
        for first in firsts or ():
            target = _follow(first, parts[1:], type_name)
            if target is not None and first.attached:
                yield target

    def named(self, path: str) -> Object:
        """Return the object as ``qom-get`` and ``qom-set`` do: to them, ambiguous is not found."""
        target, _ = self.find(path)
        return target if target is not None else self.not_found(path)

    def get(self, path: str, name: str) -> JsonValue:
        """Return a property of the object at ``path`` (``qom-get``)."""
        with self.lock:
            return self.named(path).get(name)

    def set(self, path: str, name: str, value: JsonValue) -> None:
        """Set a property of the object at ``path`` from a JSON value (``qom-set``)."""
        with self.lock:
            self.named(path).set(name, value)

    def container(self, path: str) -> Object:
        """Return the object at an absolute path, making a "container" wherever one is missing."""
        if not path.startswith("/"):
            raise ConfigError(f"'{path}' is not an absolute path")
        with self.lock:
            place = self.root
            for part in filter(None, path.split("/")):
                inner = place.child(part)
                if inner is None:
                    inner = place.add_child(part, self.types.new("container"))
                place = inner
            return place

    def adopt(self, orphan: Object) -> None:
        """Make an object that has no parent ``/machine/unattached/device[N]``.

        N counts from 0 and does not come again, as QEMU counts (``unattached_count`` in its
        hw/core/qdev.c); :meth:`disown` gives the last back.
        """
        with self.lock:
            self.container(UNATTACHED).add_child(f"device[{self._unattached}]", orphan)
            self._unattached += 1

    def disown(self, orphan: Object) -> None:
        """Undo :meth:`adopt` for a device that could not be realized."""
        with self.lock:
            orphan.unparent()
            self._unattached -= 1

    @staticmethod
    def not_found(path: str) -> Never:
        """Say that nothing is at ``path``."""
        raise NotFoundError(f"Device '{path}' not found")


def _only(fits: Iterator[Object]) -> tuple[Object | None, bool]:
    """Return the one that fits; the second value says whether there are several."""
    found = next(fits, None)
    return (found, False) if next(fits, None) is None else (None, True)


def _follow(start: Object, parts: list[str], type_name: str | None) -> Object | None:
    place = start
    for part in parts:
        step = place.step(part)
        if step is None:
            return None
        place = step
    return place if type_name is None or place.is_a(type_name) else None
