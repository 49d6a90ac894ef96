"""Object trees, ours and QEMU's, as plain values that can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

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


def qemus_objects(qemu: Qemu, asked: Callable[[str, str], bool] = lambda *_: True) -> Objects:
    """Return everything in a QEMU's tree; ``asked(path, name)`` tells what is looked at.

    What an object is stands in its parent, and need not be asked for: QEMU reads a request byte by
    byte, and a tree has some thousand properties.
    """
    objects: Objects = {}
    ahead = [("/", "container")]
    while ahead:
        path, type_name = ahead.pop()
        listed = [each for each in qemu.qmp("qom-list", path=path) if asked(path, each["name"])]
        kinds = {each["name"]: each["type"] for each in listed}
        inside = {name: kind for name, kind in kinds.items() if kind.startswith(_CHILD)}
        ahead += [
            (f"{path.rstrip('/')}/{name}", kind.removeprefix(_CHILD).removesuffix(">"))
            for name, kind in inside.items()
        ]
        values = _values(qemu, path, [name for name in kinds if name not in {*inside, "type"}])
        values["type"] = type_name
        objects[path] = {name: Member(kind, values.get(name)) for name, kind in kinds.items()}
    return objects


def only_below(*places: str) -> Callable[[str, str], bool]:
    """Return a choice for :func:`qemus_objects`: what lies at or below some paths, and the way."""

    def asked(path: str, name: str) -> bool:
        full = f"{path.rstrip('/')}/{name}/"
        return any(full.startswith(f"{place}/") or f"{place}/".startswith(full) for place in places)

    return asked


def _values(qemu: Qemu, path: str, names: list[str]) -> dict[str, Any]:
    """Return properties of an object, asked for all at once."""
    answers = qemu.requests(
        [{"execute": "qom-get", "arguments": {"path": path, "property": each}} for each in names]
    )
    return {
        name: answer.get("return", UNREADABLE) for name, answer in zip(names, answers, strict=True)
    }
