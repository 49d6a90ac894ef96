"""QMP, QEMU's machine protocol, without I/O: the wire, one connection, and typed commands.

Bytes go in, values come out::

    session = Session(commands, version)
    for item in session.receive(b'{"execute": "query-status", "id": 1}'):
        ...

Nothing here knows what a command does or where the bytes come from.
"""

from guestmap.qmp.decode import Decoder, decode
from guestmap.qmp.encode import encode, encode_line
from guestmap.qmp.errors import ErrorClass, QmpError
from guestmap.qmp.framer import Framer, Limits, ParseFailure
from guestmap.qmp.introspect import introspect
from guestmap.qmp.order import wire_order
from guestmap.qmp.parser import JsonValue
from guestmap.qmp.session import QMP_CAPABILITIES, Request, Session, event_line
from guestmap.qmp.steps import PAUSE, Pause
from guestmap.qmp.types import (
    ANY,
    BOOL,
    EMPTY,
    INT,
    INT8,
    INT16,
    INT32,
    INT64,
    NULL,
    NUMBER,
    SIZE,
    STR,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    Alternate,
    Array,
    Builtin,
    Command,
    Enum,
    EventType,
    Later,
    Member,
    Struct,
    Type,
    Union,
    resolve,
)
from guestmap.qmp.validate import validate

__all__ = [
    "ANY",
    "BOOL",
    "EMPTY",
    "INT",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "NULL",
    "NUMBER",
    "PAUSE",
    "QMP_CAPABILITIES",
    "SIZE",
    "STR",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "Alternate",
    "Array",
    "Builtin",
    "Command",
    "Decoder",
    "Enum",
    "ErrorClass",
    "EventType",
    "Framer",
    "JsonValue",
    "Later",
    "Limits",
    "Member",
    "ParseFailure",
    "Pause",
    "QmpError",
    "Request",
    "Session",
    "Struct",
    "Type",
    "Union",
    "decode",
    "encode",
    "encode_line",
    "event_line",
    "introspect",
    "resolve",
    "validate",
    "wire_order",
]
