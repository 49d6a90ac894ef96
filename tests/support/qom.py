"""Object trees, ours and QEMU's, as plain values that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from guestmap.qom import Object, ObjectTree
    from tests.support.qemu import Qemu

UNREADABLE = "not readable"
_CHILD = "child<"


class Member(NamedTuple):
    """A property: its type, and its value (children have none)."""

    type: str
    value: Any


Objects = dict[str, dict[str, Member]]
"""Properties by name, by path."""


def our_objects(tree: ObjectTree) -> Objects:
    """Return everything in a tree of ours."""
    return {each.path: _members(each) for each in tree.root.walk()}


def _members(each: Object) -> dict[str, Member]:
    members = {}
    for prop in each.properties():
        value: Any = None
        if not prop.type.name.startswith(_CHILD):
            try:
                value = each.get(prop.name)
            except ConfigError:
                value = UNREADABLE
        members[prop.name] = Member(prop.type.name, value)
    return members


def qemus_objects(qemu: Qemu) -> Objects:
    """Return everything in a QEMU's tree."""
    objects: Objects = {}
    ahead = ["/"]
    while ahead:
        path = ahead.pop()
        members = objects[path] = {}
        for prop in qemu.qmp("qom-list", path=path):
            name, kind = prop["name"], prop["type"]
            value = None
            if kind.startswith(_CHILD):
                ahead.append(f"{path.rstrip('/')}/{name}")
            else:
                try:
                    value = qemu.qmp("qom-get", path=path, property=name)
                except RuntimeError:
                    value = UNREADABLE
            members[name] = Member(kind, value)
    return objects
