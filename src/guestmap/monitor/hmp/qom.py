"""``qom-list``, ``qom-get``, ``qom-set`` and ``info qom-tree``: the object tree."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from guestmap.monitor.hmp.json_text import pretty_json, read_json
from guestmap.monitor.hmp.property_text import set_from_text

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext
    from guestmap.qom import Object

_INDENT = "  "


def qom_list(context: HmpContext, values: Values) -> str:
    """List the properties of an object; without a path, where paths begin."""
    if "path" not in values:
        return "/\n"
    properties = context.board.tree.resolve(str(values["path"])).properties()
    return "".join(f"{prop.name} ({prop.type.name})\n" for prop in properties)


def qom_get(context: HmpContext, values: Values) -> str:
    """Show a property as JSON."""
    found = _object(context, values)
    return f"{pretty_json(found.get(str(values['property'])))}\n"


def qom_set(context: HmpContext, values: Values) -> str:
    """Set a property from text, or with ``-j`` from JSON."""
    name, text = str(values["property"]), str(values["value"])
    if values.get("json"):
        value = read_json(text)
        _object(context, values).set(name, value)
    else:
        set_from_text(_object(context, values), name, text)
    return ""


def _object(context: HmpContext, values: Values) -> Object:
    """Return the object at a path; an ambiguous one leads to none here, unlike in ``qom-list``."""
    path = str(values["path"])
    found, _ambiguous = context.board.tree.find(path)
    return found if found is not None else context.board.tree.not_found(path)


def info_qom_tree(context: HmpContext, values: Values) -> str:
    """Show an object and what is below it; the machine unless a path says something else."""
    path = str(values.get("path", "/machine"))
    found, _ambiguous = context.board.tree.find(path)
    if found is None or not path:
        return f"Path '{path}' could not be resolved.\n"
    return "".join(_branch(found, "" if found.parent is None else found.name, ""))


def _branch(obj: Object, name: str, indent: str) -> Iterator[str]:
    yield f"{indent}/{name} ({obj.type.name})\n"
    for child in sorted(obj.children, key=lambda each: each.encode("utf-8", "surrogateescape")):
        yield from _branch(obj.children[child], child, indent + _INDENT)
