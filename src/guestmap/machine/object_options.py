"""``-object``: what the command line says of the objects a machine is to have.

Text and JSON end in the same values, those of QMP's ``object-add``. Members, their types and the
refusals are those of QEMU 7.2's QMP schema (``ObjectOptions``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine.options import (
    JsonValue,
    identifier,
    json_object,
    option,
    split_options,
    to_bool,
    to_numbers,
    to_size,
    to_unsigned,
)


@dataclass(frozen=True, slots=True)
class ObjectSpec:
    """One ``-object``.

    Attributes:
        qom_type: its type.
        id: its name under ``/objects``.
        properties: what else was said, as QMP's ``object-add`` would hold it.
        option: ``-object`` and its argument, for messages; "" where it comes from elsewhere.
    """

    qom_type: str
    id: str
    properties: dict[str, JsonValue] = field(default_factory=dict)
    option: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> ObjectSpec:
        """Read ``type,id=...,key=value,...`` or a JSON object.

        Raises:
            ConfigError: no such type, or members that are missing, unknown or of a wrong type.
            UnsupportedError: a type of QEMU's that is not modelled.
        """
        with option("object", text):
            if text.startswith("{"):
                members = json_object(text)
                kind = _checked_type(members.pop("qom-type", None), "qom-type" in text)
                _check_json(kind, members)
            else:
                kind, members = _from_text(text)
            missing = next((name for name in _REQUIRED[kind] if name not in members), None)
            if missing is not None:
                raise ConfigError(f"Parameter '{missing}' is missing")
        return cls(kind, str(members.pop("id")), members, f"-object {text}")


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a member is written: as text, and as JSON."""

    from_text: Callable[[str, list[str]], JsonValue]
    check_json: Callable[[str, JsonValue], None]


def _expect(name: str, value: JsonValue, kind: type, word: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(f"Invalid parameter type for '{name}', expected: {word}")


def _json_unsigned(name: str, value: JsonValue, bits: int = 64) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"Parameter '{name}' expects uint64")
    if not 0 <= value < 1 << bits:
        raise ConfigError(
            f"Parameter '{name}' expects uint{bits}_t" if bits < 64
            else f"Parameter '{name}' expects uint64"
        )  # fmt: skip


def _json_numbers(name: str, value: JsonValue) -> None:
    if not isinstance(value, list):
        raise ConfigError(f"Invalid parameter type for '{name}', expected: array")
    for index, each in enumerate(value):
        if not isinstance(each, int) or isinstance(each, bool):
            raise ConfigError(f"Parameter '{name}[{index}]' expects uint64")
        if not 0 <= each < 1 << 16:
            raise ConfigError("Parameter 'null' expects uint16_t")


def _choice(*words: str) -> _Kind:
    def check(name: str, value: JsonValue) -> None:
        _expect(name, value, str, "string")
        if value not in words:
            raise ConfigError(f"Parameter '{name}' does not accept value '{value}'")

    def convert(name: str, texts: list[str]) -> JsonValue:
        check(name, texts[-1])
        return texts[-1]

    return _Kind(convert, check)


_BOOL: Final = _Kind(
    lambda name, texts: to_bool(name, texts[-1]),
    lambda name, value: _expect(name, value, bool, "boolean"),
)
_SIZE: Final = _Kind(lambda name, texts: to_size(name, texts[-1]), _json_unsigned)
_UINT32: Final = _Kind(
    lambda name, texts: to_unsigned(name, texts[-1], 32),
    lambda name, value: _json_unsigned(name, value, 32),
)
_STRING: Final = _Kind(
    lambda _name, texts: texts[-1], lambda name, value: _expect(name, value, str, "string")
)
_NODES: Final = _Kind(lambda name, texts: list(to_numbers(name, texts)), _json_numbers)

_BACKEND: Final = {
    "dump": _BOOL,
    "host-nodes": _NODES,
    "merge": _BOOL,
    "policy": _choice("default", "preferred", "bind", "interleave"),
    "prealloc": _BOOL,
    "prealloc-context": _STRING,
    "prealloc-threads": _UINT32,
    "reserve": _BOOL,
    "share": _BOOL,
    "size": _SIZE,
    "x-use-canonical-path-for-ramblock-id": _BOOL,
}
_FILE: Final = {
    "align": _SIZE, "discard-data": _BOOL, "mem-path": _STRING, "pmem": _BOOL, "readonly": _BOOL,
}  # fmt: skip
_MEMFD: Final = {"hugetlb": _BOOL, "hugetlbsize": _SIZE, "seal": _BOOL}

_MEMBERS: Final[dict[str, dict[str, _Kind]]] = {
    "memory-backend-ram": _BACKEND,
    "memory-backend-file": _BACKEND | _FILE,
    "memory-backend-memfd": _BACKEND | _MEMFD,
}
_REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "memory-backend-ram": ("id", "size"),
    "memory-backend-file": ("id", "size", "mem-path"),
    "memory-backend-memfd": ("id", "size"),
}
_ELSEWHERE: Final = frozenset({
    "authz-list", "authz-listfile", "authz-pam", "authz-simple", "can-bus", "can-host-socketcan",
    "colo-compare", "cryptodev-backend", "cryptodev-backend-builtin", "cryptodev-backend-lkcf",
    "cryptodev-vhost-user", "dbus-vmstate", "filter-buffer", "filter-dump", "filter-mirror",
    "filter-redirector", "filter-replay", "filter-rewriter", "input-barrier", "input-linux",
    "iothread", "main-loop", "memory-backend-epc", "pef-guest", "pr-manager-helper", "qtest",
    "rng-builtin", "rng-egd", "rng-random", "secret", "secret_keyring", "sev-guest",
    "thread-context", "s390-pv-guest", "throttle-group", "tls-cipher-suites", "tls-creds-anon",
    "tls-creds-psk", "tls-creds-x509", "x-remote-object", "x-vfio-user-server",
})  # fmt: skip
"""Object types of QEMU 7.2 that are not modelled."""


def _checked_type(value: JsonValue, is_there: bool = True) -> str:
    if not is_there or value is None:
        raise ConfigError("Parameter 'qom-type' is missing")
    if not isinstance(value, str):
        raise ConfigError("Invalid parameter type for 'qom-type', expected: string")
    if value in _ELSEWHERE:
        raise UnsupportedError(f"object type {value} is not modelled")
    if value not in _MEMBERS:
        raise ConfigError(f"Parameter 'qom-type' does not accept value '{value}'")
    return value


def _from_text(text: str) -> tuple[str, dict[str, JsonValue]]:
    """Return the type and the members of the text form."""
    given: dict[str, list[str]] = {}
    for key, value in split_options(text, "qom-type"):
        given.setdefault(key, []).append(value)
    if "id" in given:
        identifier(given["id"][-1])
    kind = _checked_type(given.pop("qom-type", [None])[-1])
    kinds = _MEMBERS[kind] | {"id": _STRING}
    members: dict[str, JsonValue] = {}
    if "id" not in given:
        raise ConfigError("Parameter 'id' is missing")
    for name, member in kinds.items():
        if name in given:
            members[name] = member.from_text(name, given[name])
    for name in given:
        if name not in kinds:
            raise ConfigError(f"Invalid parameter '{name}'")
    return kind, members


def _check_json(kind: str, members: dict[str, JsonValue]) -> None:
    kinds = _MEMBERS[kind] | {"id": _STRING}
    for name, member in kinds.items():
        if name in members:
            member.check_json(name, members[name])
    for name in members:
        if name not in kinds:
            raise ConfigError(f"Parameter '{name}' is unexpected")
