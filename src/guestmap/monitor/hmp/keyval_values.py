"""The texts of ``key=value`` as the values that a QAPI type asks for.

Whatever a text cannot be is refused in the order and with the words of QEMU's keyval visitor: it
goes through the declared members one after another, as the check of JSON does. So the texts are
converted first, those that cannot be are kept, and where the check comes to one, its own text
takes the place of the check's.
"""

from __future__ import annotations

from typing import Any

from guestmap.base import ConfigError
from guestmap.base.units import parse_bytes
from guestmap.qmp import Array, Builtin, Enum, Member, QmpError, Type, Union, validate
from guestmap.qmp.types import resolve
from guestmap.qom.values import parse_signed, parse_switch, parse_unsigned


def values_of(declared: Union, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as JSON values.

    Raises:
        ConfigError: they are not as declared; says what QEMU does.
    """
    refused: dict[str, str] = {}
    members = {member.name: member.type for member in _members(declared, options)}
    given = {
        name: _convert(members[name], value, (name, name), refused) if name in members else value
        for name, value in options.items()
    }
    try:
        return validate(declared, given)
    except QmpError as error:
        text = str(error)
        raise ConfigError(next((refused[p] for p in refused if f"'{p}'" in text), text)) from error


def _members(declared: Union, options: dict[str, Any]) -> tuple[Member, ...]:
    tag = options.get(declared.discriminator)
    branch = declared.branch(tag).all_members if isinstance(tag, str) else ()
    return (*declared.base.all_members, *branch)


def _convert(declared: Type, value: Any, names: tuple[str, str], refused: dict[str, str]) -> Any:
    """Convert one value; ``names`` are its path as the check writes it, and as a key is written."""
    kind, (path, key) = resolve(declared), names
    if isinstance(kind, Array) and isinstance(value, list):
        return [
            _convert(kind.element, each, (f"{path}[{index}]", f"{key}.{index}"), refused)
            for index, each in enumerate(value)
        ]
    if not isinstance(kind, Builtin | Enum):
        return value
    if not isinstance(value, str):
        refused[path] = f"Parameters '{key}.*' are unexpected"
        return value
    if isinstance(kind, Enum) or kind.json_type not in {"int", "boolean"}:
        return value
    converted, expected = _scalar(kind, value)
    if converted is None:
        refused[path] = f"Parameter '{key}' expects {expected}"
        return value
    return converted


def _scalar(kind: Builtin, text: str) -> tuple[int | bool | None, str]:
    """Return the value, None where there is none, and what the type expects."""
    if kind.json_type == "boolean":
        return parse_switch(text), "'on' or 'off'"
    if kind.name == "size":
        size = parse_bytes(text)
        return (size if size is not None and not size >> 64 else None), "size"
    return parse_unsigned(text) if kind.unsigned else parse_signed(text), "integer"
