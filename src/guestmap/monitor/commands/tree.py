"""The object tree and the types: what is there, what it is set to, what there could be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from guestmap.base import ConfigError
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import ANY, BOOL, STR, Array, Command, Member, Struct
from guestmap.qom import UNSET, NotFoundError, Property

_NOT_LISTED = frozenset({"type", "realized", "hotpluggable", "hotplugged", "parent_bus"})
"""What ``device-list-properties`` leaves out: nothing that whoever adds a device may choose."""


def _qom_list(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    found = context.vm.board.tree.resolve(arguments["path"])
    return [{"name": each.name, "type": each.type.name} for each in found.properties()]


def _qom_get(context: Context, arguments: Arguments) -> Any:
    return context.vm.board.tree.get(arguments["path"], arguments["property"])


def _qom_set(context: Context, arguments: Arguments) -> dict[str, Any]:
    found = context.vm.board.tree.resolve(arguments["path"])
    found.set(arguments["property"], arguments["value"])
    return {}


def _qom_list_types(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    types = context.vm.board.types.all(arguments.get("implements"), arguments.get("abstract"))
    return [
        {"name": each.name}
        | ({"abstract": True} if each.abstract else {})
        | ({"parent": each.parent} if each.parent is not None else {})
        for each in types
    ]


def _qom_list_properties(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    name, types = arguments["typename"], context.vm.board.types
    types.get(name)
    if not types.is_a(name, "object"):
        raise ConfigError("Parameter 'typename' expects a QOM type")
    return [_described(each) for each in _properties(context, name)]


def _device_list_properties(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    name, types = arguments["typename"], context.vm.board.types
    if name not in types:
        raise NotFoundError(f"Device '{name}' not found")
    if types.get(name).abstract or not types.is_a(name, "device"):
        raise ConfigError("Parameter 'typename' expects a non-abstract device type")
    return [
        _described(each) | ({} if each.default is UNSET else {"default-value": each.default})
        for each in _properties(context, name)
        if each.name not in _NOT_LISTED and not each.name.startswith("legacy-")
    ]


def _properties(context: Context, name: str) -> Iterable[Property]:
    return context.vm.board.types.properties(name)


def _described(each: Property) -> dict[str, Any]:
    description = {"description": each.description} if each.description else {}
    return {"name": each.name, "type": each.type.name} | description


_PATH, _PROPERTY = Member("path", STR), Member("property", STR)
_PROPERTY_INFOS = Array(
    Struct(
        "ObjectPropertyInfo",
        (
            Member("name", STR),
            Member("type", STR),
            Member("description", STR, optional=True),
            Member("default-value", ANY, optional=True),
        ),
    )
)
_TYPE_INFOS = Array(
    Struct(
        "ObjectTypeInfo",
        (
            Member("name", STR),
            Member("abstract", BOOL, optional=True),
            Member("parent", STR, optional=True),
        ),
    )
)
_TYPE_NAME = (Member("typename", STR),)

COMMANDS = (
    MonitorCommand(
        Command(
            "qom-list", Struct("qom-list-arg", (_PATH,)), _PROPERTY_INFOS, allow_preconfig=True
        ),
        _qom_list,
    ),
    MonitorCommand(
        Command("qom-get", Struct("qom-get-arg", (_PATH, _PROPERTY)), ANY, allow_preconfig=True),
        _qom_get,
    ),
    MonitorCommand(
        Command(
            "qom-set",
            Struct("qom-set-arg", (_PATH, _PROPERTY, Member("value", ANY))),
            allow_preconfig=True,
        ),
        _qom_set,
    ),
    MonitorCommand(
        Command(
            "qom-list-types",
            Struct(
                "qom-list-types-arg",
                (Member("implements", STR, optional=True), Member("abstract", BOOL, optional=True)),
            ),
            _TYPE_INFOS,
            allow_preconfig=True,
        ),
        _qom_list_types,
        Need.NOTHING,
    ),
    MonitorCommand(
        Command(
            "qom-list-properties",
            Struct("qom-list-properties-arg", _TYPE_NAME),
            _PROPERTY_INFOS,
            allow_preconfig=True,
        ),
        _qom_list_properties,
    ),
    MonitorCommand(
        Command(
            "device-list-properties",
            Struct("device-list-properties-arg", _TYPE_NAME),
            _PROPERTY_INFOS,
        ),
        _device_list_properties,
    ),
)
