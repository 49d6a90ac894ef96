"""``query-qmp-schema``, and the types that tell of types (qapi/introspect.json)."""

from __future__ import annotations

from typing import Any

from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import (
    ANY,
    BOOL,
    QMP_CAPABILITIES,
    STR,
    Array,
    Command,
    Enum,
    Member,
    Struct,
    Union,
    introspect,
)


def _query_commands(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [{"name": name} for name in (QMP_CAPABILITIES.name, *context.commands.declarations)]


def _query_qmp_schema(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    commands = context.commands
    return introspect((QMP_CAPABILITIES, *commands.declarations.values()), commands.events)


_FEATURES = Member("features", Array(STR), optional=True)
_OBJECT_MEMBER = Struct(
    "SchemaInfoObjectMember",
    (Member("name", STR), Member("type", STR), Member("default", ANY, optional=True), _FEATURES),
)
_VARIANT = Struct("SchemaInfoObjectVariant", (Member("case", STR), Member("type", STR)))
_JSON_TYPE = Enum(
    "JSONType", ("string", "number", "int", "boolean", "null", "object", "array", "value")
)
_KINDS = (
    ("builtin", (Member("json-type", _JSON_TYPE),)),
    (
        "enum",
        (
            Member(
                "members", Array(Struct("SchemaInfoEnumMember", (Member("name", STR), _FEATURES)))
            ),
            Member("values", Array(STR), features=("deprecated",)),
        ),
    ),
    ("array", (Member("element-type", STR),)),
    (
        "object",
        (
            Member("members", Array(_OBJECT_MEMBER)),
            Member("tag", STR, optional=True),
            Member("variants", Array(_VARIANT), optional=True),
        ),
    ),
    (
        "alternate",
        (Member("members", Array(Struct("SchemaInfoAlternateMember", (Member("type", STR),)))),),
    ),
    (
        "command",
        (
            Member("arg-type", STR),
            Member("ret-type", STR),
            Member("allow-oob", BOOL, optional=True),
        ),
    ),
    ("event", (Member("arg-type", STR),)),
)
_SCHEMA_INFO = Union(
    "SchemaInfo",
    Struct(
        "SchemaInfo-base",
        (
            Member("name", STR),
            Member("meta-type", Enum("SchemaMetaType", tuple(name for name, _ in _KINDS))),
            _FEATURES,
        ),
    ),
    "meta-type",
    tuple((name, Struct(f"SchemaInfo-{name}", members)) for name, members in _KINDS),
)
_NAMES = Array(Struct("CommandInfo", (Member("name", STR),)))

COMMANDS = (
    MonitorCommand(
        Command("query-commands", None, _NAMES, allow_preconfig=True), _query_commands, Need.NOTHING
    ),
    MonitorCommand(
        Command("query-qmp-schema", None, Array(_SCHEMA_INFO), allow_preconfig=True),
        _query_qmp_schema,
        Need.NOTHING,
    ),
)
