"""What the schema says of our commands, held to what QEMU's says of its own."""

from typing import Any

import pytest

from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from tests.support.fake_machine import FakeMachine
from tests.support.qemu import Qemu

_NEVER_ANY = {
    "query-iothreads", "query-jobs", "query-fdsets",
}  # fmt: skip
"""Commands that return an empty list: what would be in it is not declared."""
_NARROWER = {"ObjectType", "SysEmuTarget", "MemoryDeviceInfoKind"}
"""Our enums that lack values, because the things are not here."""


class Schema:
    """A schema with the types' numbers taken out: each type as what it is made of."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        self.entries = {
            (each["meta-type"] in ("command", "event"), each["name"]): each for each in entries
        }

    def names(self, kind: str) -> set[str]:
        return {e["name"] for (top, _), e in self.entries.items() if top and e["meta-type"] == kind}

    def command(self, name: str) -> dict[str, Any]:
        entry = self.entries[True, name]
        return {
            "arguments": self.type(entry["arg-type"]),
            "returns": self.type(entry.get("ret-type", "str")),
            "oob": entry.get("allow-oob", False),
            "features": entry.get("features", []),
        }

    def type(self, name: str, inside: tuple[str, ...] = ()) -> Any:
        if name in inside:
            return "itself"
        inside = (*inside, name)
        entry = self.entries[False, name]
        match entry["meta-type"]:
            case "builtin":
                return entry["json-type"]
            case "array":
                return [self.type(entry["element-type"], inside)]
            case "enum":
                return frozenset(entry["values"])
            case "alternate":
                return [self.type(each["type"], inside) for each in entry["members"]]
        form: dict[str, Any] = {
            member["name"]: (
                self.type(member["type"], inside),
                "default" in member,
                tuple(member.get("features", ())),
            )
            for member in entry["members"]
        }
        for variant in entry.get("variants", ()):
            form[f"{entry['tag']}={variant['case']}"] = self.type(variant["type"], inside)
        return form


def is_part(ours: Any, theirs: Any) -> bool:
    """Tell whether a type is QEMU's; enums and unions may lack values."""
    if isinstance(ours, frozenset):
        return isinstance(theirs, frozenset) and ours <= theirs
    if isinstance(ours, dict):
        if {each for each in ours if "=" not in each} != {
            each for each in theirs if "=" not in each
        }:
            return False
        return all(each in theirs and is_part(form, theirs[each]) for each, form in ours.items())
    if isinstance(ours, list | tuple):
        return len(ours) == len(theirs) and all(map(is_part, ours, theirs))
    return bool(ours == theirs)


_FEWER = {"migrate", "migrate-set-parameters", "query-migrate"}
"""Commands of whose optional members not all are here: a machine goes to no other host."""
_PARTS = ("arguments", "returns")


def without_options(theirs: Any, ours: Any) -> Any:
    """Return QEMU's type without the optional members that ours lacks."""
    if not isinstance(theirs, dict):
        return theirs
    return {name: form for name, form in theirs.items() if name in ours or not form[1]}


def our_schema() -> Schema:
    context = Context(FakeMachine(), command_table())
    return Schema(context.commands["query-qmp-schema"].run(context, {}))


def test_tells_of_every_command() -> None:
    context = Context(FakeMachine(), command_table())
    told = {each["name"] for each in context.commands["query-commands"].run(context, {})}
    assert told == our_schema().names("command")
    assert "qmp_capabilities" in told


def test_what_reads_the_map_may_overtake() -> None:
    schema = our_schema()
    free = {name for name in schema.names("command") if schema.command(name)["oob"]}
    assert free == {"query-status", "x-guestmap-map", "x-guestmap-explain", "x-guestmap-history"}


@pytest.mark.qemu
@pytest.mark.qemu_7_2("its schema")
def test_commands_and_events_are_declared_as_qemu_s() -> None:
    with Qemu() as qemu:
        theirs = Schema(qemu.qmp("query-qmp-schema"))
    ours = our_schema()
    for name in sorted(ours.names("command")):
        if name.startswith("x-guestmap-"):
            continue
        mine, other = ours.command(name), theirs.command(name)
        assert mine["features"] == other["features"] or name == "human-monitor-command", name
        if name in _FEWER:
            other |= {part: without_options(other[part], mine[part]) for part in _PARTS}
        assert is_part(mine["arguments"], other["arguments"]), name
        if name in _NEVER_ANY:
            assert mine["returns"] == [{}], name
        else:
            assert is_part(mine["returns"], other["returns"]), name
    for name in sorted(ours.names("event")):
        if name.startswith("X_"):
            continue
        mine, other = ours.entries[True, name], theirs.entries[True, name]
        assert mine.get("features", []) == other.get("features", []), name
        assert is_part(ours.type(mine["arg-type"]), theirs.type(other["arg-type"])), name
