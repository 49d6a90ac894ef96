"""Which objects have a name: a partial path need not be tried from every object of the tree."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.qom.object import Object
    from guestmap.qom.properties import Property

_NUMBERED = "]"
_LINK = "link<"


class NameIndex:
    """Children by name, and the names that links have.

    Numbered names (``pic[0]``) are left out: there are many, and some objects make such children
    only when somebody looks.
    """

    def __init__(self) -> None:
        self._children: dict[str, dict[Object, None]] = {}
        self._links: set[str] = set()

    def add_links(self, properties: Iterable[Property]) -> None:
        """Note the links among properties."""
        self._links.update(each.name for each in properties if each.type.name.startswith(_LINK))

    def add(self, child: Object) -> None:
        """Note a child that has its name."""
        if not child.name.endswith(_NUMBERED):
            self._children.setdefault(child.name, {})[child] = None

    def remove(self, child: Object) -> None:
        """Forget a child that still has its name."""
        same = self._children.get(child.name)
        if same is not None:
            same.pop(child, None)
            if not same:
                del self._children[child.name]

    def named(self, name: str) -> tuple[Object, ...] | None:
        """Return all children of a name, in the tree or not; None where that would not be all.

        A link of the name, or a number in it, can lead to more.
        """
        if name in self._links or name.endswith(_NUMBERED):
            return None
        return tuple(self._children.get(name, ()))
