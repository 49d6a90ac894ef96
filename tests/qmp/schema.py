"""Declarations made from a schema that a server tells of itself."""

from __future__ import annotations

from typing import Any

from guestmap.qmp import (
    ANY,
    BOOL,
    INT,
    NULL,
    NUMBER,
    STR,
    Alternate,
    Array,
    Command,
    Enum,
    EventType,
    Later,
    Member,
    Struct,
    Type,
    Union,
)

_BUILTINS = {kind.name: kind for kind in (ANY, BOOL, INT, NULL, NUMBER, STR)}


class Declarations:
    """Commands and events out of ``query-qmp-schema``'s answer; types by their masked names."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self._entries = {entry["name"]: entry for entry in entries}
        self._made: dict[str, Type] = {}
        self.commands = [
            self._command(entry) for entry in entries if entry["meta-type"] == "command"
        ]
        self.events = [
            EventType(entry["name"], self.type(entry["arg-type"]), _features(entry))  # type: ignore[arg-type]
            for entry in entries
            if entry["meta-type"] == "event"
        ]

    def _command(self, entry: dict[str, Any]) -> Command:
        return Command(
            entry["name"],
            self.type(entry["arg-type"]),  # type: ignore[arg-type]
            self.type(entry["ret-type"]),
            oob=entry.get("allow-oob", False),
            features=_features(entry),
        )

    def type(self, name: str) -> Type:
        if name in _BUILTINS:
            return _BUILTINS[name]
        if name not in self._made:
            self._made[name] = Later(lambda: self._made[name])
            self._made[name] = self._make(self._entries[name])
        return self._made[name]

    def _make(self, entry: dict[str, Any]) -> Type:
        name, features = entry["name"], _features(entry)
        match entry["meta-type"]:
            case "array":
                return Array(self.type(entry["element-type"]))
            case "enum":
                values = tuple(value["name"] for value in entry["members"])
                special = tuple(
                    (value["name"], _features(value))
                    for value in entry["members"]
                    if _features(value)
                )
                return Enum(name, values, special, features)
            case "alternate":
                branches = tuple(("", self.type(member["type"])) for member in entry["members"])
                return Alternate(name, branches, features)
        members = tuple(self._member(member) for member in entry["members"])
        if "tag" not in entry:
            return Struct(name, members, features=features)
        branches = tuple((case["case"], self.type(case["type"])) for case in entry["variants"])
        return Union(name, Struct(f"{name}-base", members), entry["tag"], branches, features)  # type: ignore[arg-type]

    def _member(self, member: dict[str, Any]) -> Member:
        optional = "default" in member
        return Member(member["name"], self.type(member["type"]), optional, _features(member))


def _features(entry: dict[str, Any]) -> tuple[str, ...]:
    return tuple(entry.get("features", ()))
