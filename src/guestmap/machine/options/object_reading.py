"""Reading ``-object``: from its text form as QEMU does, and from JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine.options.object_schema import NOT_MODELLED, OBJECT_KINDS, OBJECT_OPTIONS
from guestmap.machine.options.strings import (
    identifier,
    json_object,
    split_options,
    to_bool,
    to_numbers,
    to_size,
    to_unsigned,
)
from guestmap.qmp import (
    BOOL,
    SIZE,
    UINT32,
    Array,
    Enum,
    JsonValue,
    Member,
    QmpError,
    Struct,
    validate,
)


def from_json(text: str) -> dict[str, JsonValue]:
    """Return the members that JSON gives, checked as ``object-add`` checks them."""
    members = json_object(text)
    _check_modelled(members.get("qom-type"))
    try:
        return {**validate(OBJECT_OPTIONS, members)}
    except QmpError as error:
        raise ConfigError(error.desc) from None


def _check_modelled(kind: JsonValue) -> None:
    if kind in NOT_MODELLED:
        raise UnsupportedError(f"object type {kind} is not modelled")


def from_text(text: str) -> dict[str, JsonValue]:
    """Return the members of the text form, looked at in the schema's order as QEMU does."""
    given: dict[str, list[str]] = {}
    for key, value in split_options(text, "qom-type"):
        given.setdefault(key, []).append(value)
    if "id" in given:
        given["id"] = [identifier(given["id"][0])]  # of several, QEMU takes the first
    if "qom-type" not in given:
        raise ConfigError("Parameter 'qom-type' is missing")
    kind = given["qom-type"][-1]
    _check_modelled(kind)
    members: dict[str, JsonValue] = {}
    for member in (*OBJECT_OPTIONS.base.members, *_members(OBJECT_KINDS.get(kind))):
        if member.name in given:
            members[member.name] = _value(member.type, member.name, given.pop(member.name))
        elif not member.optional:
            raise ConfigError(f"Parameter '{member.name}' is missing")
    for name in given:
        raise ConfigError(f"Invalid parameter '{name}'")
    return members


def _members(declared: Struct | None) -> Iterator[Member]:
    """Yield all members of a struct, those of its base first."""
    if declared is not None:
        yield from _members(declared.base)
        yield from declared.members


def _value(declared: Any, name: str, texts: list[str]) -> JsonValue:
    """Return what the texts given for a member say; all but lists take the last one."""
    text = texts[-1]
    if isinstance(declared, Array):
        return [*to_numbers(name, texts)]
    if isinstance(declared, Enum):
        if text not in declared.values:
            raise ConfigError(f"Parameter '{name}' does not accept value '{text}'")
        return text
    if declared is BOOL:
        return to_bool(name, text)
    if declared is SIZE:
        return to_size(name, text)
    return to_unsigned(name, text, 32) if declared is UINT32 else text
