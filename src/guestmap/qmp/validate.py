"""Arguments held to their declaration, with QEMU's texts and in QEMU's order.

Members are looked at in the order of the declaration, each missing or wrong one ends it, and only
then what nobody declared is complained of; a member that is itself an object is finished first.
QEMU's visitors name the whole path (``'file.filename'``) in some texts and the last name alone in
others, and ``'null'`` where an array's element has no name; so do these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.qmp.errors import QmpError, generic
from guestmap.qmp.order import wire_order
from guestmap.qmp.types import EMPTY, Alternate, Array, Builtin, Enum, Struct, Type, Union, resolve

if TYPE_CHECKING:
    from guestmap.qmp.parser import JsonValue

MAX_ELEMENTS: Final = 4096
"""Elements of an array that a command takes: looking at more would hold others up."""

_INT64_MAX: Final = (1 << 63) - 1
_JSON_TYPES: Final = {"string": str, "boolean": bool, "null": type(None)}


def validate(declared: Struct | Union | None, arguments: JsonValue) -> dict[str, JsonValue]:
    """Return arguments that are as declared; None stands for a command without any.

    Integers of an unsigned type come back as such, numbers as floats; members that were not given
    are not added.

    Raises:
        QmpError: class ``GenericError``, with QEMU's text for the first thing that is wrong.
    """
    if not isinstance(arguments, dict):
        raise generic("QMP input member 'arguments' must be an object")
    try:
        return _object(declared or EMPTY, arguments, "")
    except RecursionError:  # a type that holds itself, given deeper than anybody means it
        raise generic("JSON nesting depth limit exceeded") from None


def check(declared: Type, value: JsonValue, path: str, name: str | None) -> JsonValue:
    """Return one value as its type wants it.

    Args:
        declared: the type.
        value: what the client sent.
        path: where it stands, for the texts that name the whole path.
        name: its own name; None for an element of an array.

    Raises:
        QmpError: as :func:`validate`.
    """
    kind = resolve(declared)
    match kind:
        case Builtin():
            return _builtin(kind, value, path, name)
        case Enum():
            if not isinstance(value, str):
                raise _wrong_type(path, "string")
            if value not in kind.values:
                raise generic(f"Parameter '{name or 'null'}' does not accept value '{value}'")
            return value
        case Array():
            if not isinstance(value, list):
                raise _wrong_type(path, "array")
            if len(value) > MAX_ELEMENTS:
                raise generic(f"Parameter '{path}' has more than {MAX_ELEMENTS} elements")
            return [
                check(kind.element, item, f"{path}[{index}]", None)
                for index, item in enumerate(value)
            ]
        case Alternate():
            return check(_alternative(kind, value, name), value, path, name)
        case _:
            if not isinstance(value, dict):
                raise _wrong_type(path, "object")
            return _object(kind, value, path)


def _object(kind: Struct | Union, given: dict[str, JsonValue], path: str) -> dict[str, JsonValue]:
    checked: dict[str, JsonValue] = {}
    if isinstance(kind, Union):
        _members(kind.base, given, path, checked)
        tag = checked.get(kind.discriminator, kind.tag.values[0])
        _members(kind.branch(str(tag)), given, path, checked)
    else:
        _members(kind, given, path, checked)
    if len(checked) < len(given):
        extra = next(name for name in wire_order(given) if name not in checked)
        raise generic(f"Parameter '{_join(path, extra)}' is unexpected")
    return checked


def _members(
    kind: Struct, given: dict[str, JsonValue], path: str, checked: dict[str, JsonValue]
) -> None:
    for member in kind.all_members:
        where = _join(path, member.name)
        if member.name in given:
            checked[member.name] = check(member.type, given[member.name], where, member.name)
        elif not member.optional:
            raise generic(f"Parameter '{where}' is missing")


def _builtin(kind: Builtin, value: JsonValue, path: str, name: str | None) -> JsonValue:
    if kind.json_type == "value":
        return value
    if kind.json_type == "int":
        return _integer(kind, value, path, name)
    if kind.json_type == "number":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise _wrong_type(path, "number")
        return float(value)
    if not isinstance(value, _JSON_TYPES[kind.json_type]):
        raise _wrong_type(path, kind.json_type)
    return value


def _integer(kind: Builtin, value: JsonValue, path: str, name: str | None) -> int:
    whole = value if isinstance(value, int) and not isinstance(value, bool) else None
    if kind.unsigned:
        if whole is None:
            raise generic(f"Parameter '{path}' expects uint64")
        whole %= 1 << 64
    elif whole is None or whole > _INT64_MAX:
        raise _wrong_type(path, "integer")
    if not kind.low <= whole <= kind.high:
        raise generic(f"Parameter '{name or 'null'}' expects {kind.name}_t")
    return whole


def _alternative(kind: Alternate, value: JsonValue, name: str | None) -> Type:
    for _, branch in kind.branches:
        if _accepts(branch, value):
            return branch
    raise _wrong_type(name or "null", kind.name)


def _accepts(declared: Type, value: JsonValue) -> bool:
    """Tell whether the kind of a JSON value (not the value itself) is that of a type."""
    kind = resolve(declared)
    if isinstance(kind, Builtin) and kind.json_type in ("int", "number"):
        return isinstance(value, int | float) and not isinstance(value, bool)
    if isinstance(kind, Builtin):
        return isinstance(value, _JSON_TYPES[kind.json_type])
    if isinstance(kind, Enum):
        return isinstance(value, str)
    return isinstance(value, list if isinstance(kind, Array) else dict)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong_type(path: str, expected: str) -> QmpError:
    return generic(f"Invalid parameter type for '{path}', expected: {expected}")
