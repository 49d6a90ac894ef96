"""What query-qmp-schema answers, by itself and beside QEMU's answer."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.qmp import INT, STR, UINT8, Array, Command, EventType, Member, Struct, introspect
from tests.qmp.declared import COMMANDS, EVENTS, NODE, OBJECT_OPTIONS
from tests.qmp.oracle import QemuPeer

Schema = dict[str, dict[str, Any]]


def by_name(entries: list[dict[str, Any]]) -> Schema:
    schema = {entry["name"]: entry for entry in entries}
    assert len(schema) == len(entries)
    return schema


def test_types_are_numbered_in_the_order_of_their_use() -> None:
    schema = introspect(COMMANDS, EVENTS)

    numbers = [int(entry["name"]) for entry in schema if entry["name"].isdigit()]
    assert numbers == sorted(numbers) == [*range(len(numbers))]
    told = {entry["name"] for entry in schema}
    for_people = by_name(introspect(COMMANDS, EVENTS, mask=False))
    own = {each.name for each in (*COMMANDS, *EVENTS)} | {"any", "bool", "int", "number", "str"}
    assert len(numbers) == len([name for name in for_people if name not in own and name[0] != "["])
    assert {name for name in told if not name.strip("[]").isdigit()} <= own | {"[int]", "[str]"}


def test_names_for_people() -> None:
    schema = by_name(introspect(COMMANDS, EVENTS, mask=False))

    assert schema["qom-list"]["ret-type"] == "[ObjectPropertyInfo]"
    assert schema["object-add"] == {
        "name": "object-add",
        "meta-type": "command",
        "arg-type": OBJECT_OPTIONS.name,
        "ret-type": "q_empty",
    }
    assert schema["[int]"] == {"name": "[int]", "meta-type": "array", "element-type": "int"}
    assert schema["int"] == {"name": "int", "meta-type": "builtin", "json-type": "int"}


def test_arrays_of_integers_of_any_width_are_one() -> None:
    members = (Member("a", Array(UINT8)), Member("b", Array(INT)), Member("c", Array(STR)))
    arguments = Struct("c-arg", members)
    schema = by_name(introspect([Command("c", arguments)], [], mask=False))

    assert [each["type"] for each in schema["c-arg"]["members"]] == ["[int]", "[int]", "[str]"]
    assert {name for name in schema if name.startswith("[")} == {"[int]", "[str]"}


def test_a_type_that_holds_itself_is_told_once() -> None:
    schema = by_name(introspect([Command("c", NODE)], [EventType("E", NODE)], mask=False))

    assert schema["Node"]["members"][1] == {"name": "inner", "type": "Node", "default": None}
    assert schema["StrOrNode"] == {
        "name": "StrOrNode",
        "meta-type": "alternate",
        "members": [{"type": "str"}, {"type": "Node"}],
    }
    assert schema["[Node]"]["element-type"] == "Node"


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its commands take")
def test_declarations_are_told_as_qemu_tells_its_own() -> None:
    with QemuPeer() as qemu:
        qemu.ask(b'{"execute": "qmp_capabilities"}')
        theirs = by_name(qemu.execute("query-qmp-schema"))
    ours = by_name(introspect(COMMANDS, EVENTS))

    for declared in (*COMMANDS, *EVENTS):
        agree(ours, declared.name, theirs, declared.name, {})


def agree(ours: Schema, our: str, theirs: Schema, their: str, seen: dict[str, str]) -> None:
    """Compare two types through their names; of a union, only the cases that we have."""
    if our in seen:
        assert seen[our] == their
        return
    seen[our] = their
    mine, yours = dict(ours[our]), dict(theirs[their])
    assert mine.keys() == yours.keys()
    for key in ("arg-type", "ret-type", "element-type"):
        if key in mine:
            agree(ours, mine.pop(key), theirs, yours.pop(key), seen)
    if "variants" in mine:
        cases = {case["case"]: case["type"] for case in yours.pop("variants")}
        for case in mine.pop("variants"):
            agree(ours, case["type"], theirs, cases[case["case"]], seen)
        tag = mine["tag"]
        seen |= {
            member["type"]: other["type"]
            for member, other in zip(mine["members"], yours["members"], strict=True)
            if member["name"] == tag
        }
    for member, other in zip(mine.get("members", ()), yours.get("members", ()), strict=True):
        assert {**member, "type": ""} == {**other, "type": ""}
        if "type" in member:
            agree(ours, member["type"], theirs, other["type"], seen)
    for varying in ("name", "members"):
        mine.pop(varying, None)
        yours.pop(varying, None)
    assert mine == yours
