"""Arguments held to declarations: the texts, and the order of the checks."""

from __future__ import annotations

import json
from typing import Any

import pytest

from guestmap.qmp import (
    INT,
    NUMBER,
    UINT64,
    Array,
    ErrorClass,
    Member,
    QmpError,
    Struct,
    validate,
)
from tests.qmp.declared import NODE, OBJECT_OPTIONS
from tests.qmp.oracle import QemuPeer, values

MANY = Struct("many", (Member("numbers", Array(UINT64)),))
RAM = {"qom-type": "memory-backend-ram", "id": "m"}

BAD_OBJECTS: tuple[dict[str, Any], ...] = (
    {},
    {"id": "m"},
    {"qom-type": "memory-backend-ram"},
    {"qom-type": "no-such", "id": 1, "x": 1},
    {"qom-type": 1, "id": 1},
    {"qom-type": None},
    {**RAM},
    {**RAM, "x": 1},
    {**RAM, "size": "1"},
    {**RAM, "size": 1.5},
    {**RAM, "size": True},
    {**RAM, "size": None, "dump": 1},
    {**RAM, "size": 1, "x": 1},
    {**RAM, "size": 1, "dump": "on"},
    {**RAM, "size": 1, "policy": "x"},
    {**RAM, "size": 1, "policy": ["x"]},
    {**RAM, "size": 1, "prealloc-threads": 1 << 32},
    {**RAM, "size": 1, "prealloc-threads": -1},
    {**RAM, "size": 1, "host-nodes": 1},
    {**RAM, "size": 1, "host-nodes": {}},
    {**RAM, "size": 1, "host-nodes": [1, 65536]},
    {**RAM, "size": 1, "host-nodes": [1, -1]},
    {**RAM, "size": 1, "host-nodes": [1, "a"]},
    {**RAM, "size": 1, "host-nodes": [[]], "x": 1},
    {**RAM, "qom-type": "memory-backend-file", "size": 1},
    {**RAM, "qom-type": "memory-backend-file", "mem-path": "/"},
    {**RAM, "qom-type": "memory-backend-file", "mem-path": [], "size": 1},
    {**RAM, "qom-type": "can-bus", "size": 1},
)


def refusal(declared: Struct, value: Any) -> str:
    with pytest.raises(QmpError) as caught:
        validate(declared, value)
    assert caught.value.cls == ErrorClass.GENERIC
    return caught.value.desc


@pytest.mark.qemu
def test_bad_objects_are_refused_in_qemus_words() -> None:
    with QemuPeer() as qemu:
        qemu.ask(b'{"execute": "qmp_capabilities"}')
        for value in BAD_OBJECTS:
            request = {"execute": "object-add", "arguments": value}
            reply = values(qemu.ask(json.dumps(request).encode()))[0]
            with pytest.raises(QmpError) as caught:
                validate(OBJECT_OPTIONS, value)
            assert caught.value.desc == reply["error"]["desc"], value
            assert caught.value.cls == reply["error"]["class"]


def test_good_arguments_come_back() -> None:
    value = {**RAM, "size": 4096, "host-nodes": [0, 3], "share": True, "policy": "bind"}

    assert validate(OBJECT_OPTIONS, value) == value
    assert validate(OBJECT_OPTIONS, {**RAM, "size": -1})["size"] == (1 << 64) - 1
    assert validate(None, {}) == {}
    assert validate(Struct("a", (Member("n", NUMBER),)), {"n": 1}) == {"n": 1.0}


def test_a_command_without_arguments() -> None:
    with pytest.raises(QmpError, match="Parameter 'x' is unexpected"):
        validate(None, {"x": 1})


@pytest.mark.parametrize(
    ("value", "desc"),
    [
        ({"name": 1}, "Invalid parameter type for 'name', expected: string"),
        ({"name": "a", "inner": {}}, "Parameter 'inner.name' is missing"),
        ({"name": "a", "inner": 1}, "Invalid parameter type for 'inner', expected: object"),
        (
            {"name": "a", "inner": {"name": "b", "x": 1}, "y": 1},
            "Parameter 'inner.x' is unexpected",
        ),
        (
            {"name": "a", "all": [{"name": "b"}, {"name": 1}]},
            "Invalid parameter type for 'all[1].name', expected: string",
        ),
        ({"name": "a", "all": [1]}, "Invalid parameter type for 'all[0]', expected: object"),
        ({"name": "a", "either": 1}, "Invalid parameter type for 'either', expected: StrOrNode"),
        (
            {"name": "a", "either": {"name": "b", "either": []}},
            "Invalid parameter type for 'either', expected: StrOrNode",
        ),
        ({"name": "a", "either": {"x": 1}}, "Parameter 'either.name' is missing"),
    ],
)
def test_paths(value: Any, desc: str) -> None:
    assert refusal(NODE, value) == desc


def test_either_of_an_alternate() -> None:
    for value in ({"name": "a", "either": "b"}, {"name": "a", "either": {"name": "b"}}):
        assert validate(NODE, value) == value  # type: ignore[arg-type]


def test_unsigned_numbers_wrap_and_numbers_do_not() -> None:
    declared = Struct("a", (Member("u", Array(UINT64)),))

    assert validate(declared, {"u": [-1, (1 << 64) - 1]}) == {"u": [(1 << 64) - 1] * 2}
    assert refusal(declared, {"u": [1e3]}) == "Parameter 'u[0]' expects uint64"
    assert refusal(Struct("a", (Member("n", NUMBER),)), {"n": True}) == (
        "Invalid parameter type for 'n', expected: number"
    )


@pytest.mark.qemu
def test_a_signed_number_ends_where_qemus_does() -> None:
    declared, most = Struct("balloon-arg", (Member("value", INT),)), (1 << 63) - 1
    assert validate(declared, {"value": most}) == {"value": most}
    request = {"execute": "balloon", "arguments": {"value": most + 1}}
    with QemuPeer() as qemu:
        qemu.ask(b'{"execute": "qmp_capabilities"}')
        reply = values(qemu.ask(json.dumps(request).encode()))[0]
    assert refusal(declared, {"value": most + 1}) == reply["error"]["desc"]


def test_a_type_that_holds_itself_is_bounded_too() -> None:
    value: dict[str, Any] = {"name": "a"}
    for _ in range(1023):
        value = {"name": "a", "inner": value}

    assert refusal(NODE, value) == "JSON nesting depth limit exceeded"


def test_more_elements_than_a_command_means_are_not_looked_at() -> None:
    most = [1] * 4096

    assert validate(MANY, {"numbers": most}) == {"numbers": most}
    with pytest.raises(QmpError, match="'numbers' has more than 4096 elements"):
        validate(MANY, {"numbers": [*most, "no number"]})


def test_of_very_many_unexpected_members_the_first_that_was_sent_is_named() -> None:
    with pytest.raises(QmpError, match="Parameter 'x0' is unexpected"):
        validate(MANY, {"numbers": [], **{f"x{number}": 1 for number in range(2000)}})
