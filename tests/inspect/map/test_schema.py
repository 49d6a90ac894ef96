"""The JSON Schema that other programs rely on."""

from __future__ import annotations

import json
from copy import deepcopy
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from guestmap.base import PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.map.schema import FILE_NAME, schema_text
from tests.inspect.snapshots import pc, trees

if TYPE_CHECKING:
    from typing import Any

CHECKED_IN = files("guestmap.inspect.map").joinpath(FILE_NAME).read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(CHECKED_IN))


def form() -> dict[str, Any]:
    return json.loads(json.dumps(pc("rom").snapshot().to_json()))


def test_the_file_is_what_the_types_say():
    assert schema_text() == CHECKED_IN, "guestmap snapshot --schema > the file"


def test_the_schema_is_one():
    Draft202012Validator.check_schema(json.loads(CHECKED_IN))


@given(trees())
def test_every_snapshot_fits_and_comes_back_equal(snapshot):
    written = json.loads(json.dumps(snapshot.to_json()))
    VALIDATOR.validate(written)
    assert Snapshot.from_json(written) == snapshot


BROKEN = [
    (("regions", 0, "size"), "4096"),
    (("regions", 0, "size"), 1.5),
    (("regions", 0, "type"), "device"),
    (("regions", 0, "enabled"), None),
    (("regions", 0, "children"), [0.5]),
    (("address_spaces", 0), {"name": "memory"}),
    (("address_spaces",), {}),
    (("format",), "guestmap.boot"),
    (("format_version",), 2),
    (("source",), None),
    (("ram_blocks",), [{}]),
    (("regions", 0, "addr"), -1),
    (("regions", 0, "addr"), 1 << 64),
    (("regions", 0, "size"), (1 << 64) + 1),
    (("regions", 0, "priority"), 1 << 31),
    (("regions", 0, "priority"), -(1 << 40)),
    (("regions", 0, "alias_offset"), -1),
    (("regions", 0, "children"), [-1]),
    (("regions", 0, "alias"), -1),
    (("address_spaces", 0, "root"), -1),
    (("ram_blocks",), [{"name": "a", "offset": -1, "used_length": 1, "max_length": 1}]),
    (("ram_blocks",), [{"name": "a", "offset": 1 << 64, "used_length": 1, "max_length": 1}]),
    (("ram_blocks",), [{"name": "a", "offset": 0, "used_length": 1, "max_length": (1 << 64) + 1}]),
    (
        ("views",),
        [
            {
                "users": [],
                "root": None,
                "ranges": [{"start": 0, "size": 0, "priority": 0, "type": "ram", "name": "a"}],
            }
        ],
    ),
    (
        ("views",),
        [
            {
                "users": [],
                "root": None,
                "ranges": [
                    {"start": 0, "size": 1, "priority": 1 << 40, "type": "ram", "name": "a"}
                ],
            }
        ],
    ),
    (("views",), [{"users": [], "root": 5, "ranges": []}]),
]


@pytest.mark.parametrize(("place", "value"), BROKEN)
def test_what_the_reader_refuses_the_schema_refuses(place, value):
    broken = form()
    VALIDATOR.validate(broken)
    *way, last = place
    part = broken
    for step in way:
        part = part[step]
    part[last] = value
    assert not VALIDATOR.is_valid(broken)
    with pytest.raises(PeerError):
        Snapshot.from_json(broken)


@pytest.mark.parametrize("name", ["format", "format_version"])
def test_a_file_must_say_what_it_is(name):
    silent = form()
    del silent[name]
    assert not VALIDATOR.is_valid(silent)


def full_form() -> dict[str, Any]:
    """A form with something in each list."""
    whole = form()
    slot = {"number": 1, "start": 0, "size": 4096, "host": 1 << 40, "dirty": 2}
    shown = {"start": 0, "size": 4096, "priority": 0, "type": "ram", "name": "a", "region": 1}
    user = {"name": "memory", "root": "system"}
    section = {"start": 0, "size": 1, "name": "a", "marks": ["unassigned"]}
    nodes = [[{"first": 0, "last": 511, "skip": 1, "pointer": None}]]
    dispatch = {"sections": [section], "nodes": nodes, "root_pointer": 0, "root_skip": 1}
    view = {"users": [user], "root": "system", "ranges": [shown], "dispatch": dispatch}
    block = {"name": "a", "offset": 0, "used_length": 1, "max_length": 4096}
    return {**whole, "slots": [slot], "views": [view], "ram_blocks": [block], "notes": ["a"]}


VALUES = [
    None, True, 0, 1, -1, 7, 1 << 31, -(1 << 31) - 1, (1 << 64) - 1, 1 << 64,
    (1 << 64) + 1, 1 << 200, 0.5, -0.0, 4096.0, 1e300, "", "ram", "4096", "\ud800", "\ud83d", [],
    [0], [5, 5], [[]], {},
    {"a": 1},
]  # fmt: skip
BEYOND_A_SCHEMA = (
    "and there are", "its place in the list", "in two containers", "contains itself",
    "without end", "in order, without overlap", "expected room for", "expected 0 to 2**64",
    "one entry for",
)  # fmt: skip


def places(part: Any, way: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each value in a form."""
    steps = part.items() if isinstance(part, dict) else ()
    steps = enumerate(part) if isinstance(part, list) else steps
    return [
        found for step, value in steps for found in [(*way, step), *places(value, (*way, step))]
    ]


def loaders_words(broken: Any) -> str:
    """Return why the loader does not take a form; "" where it does."""
    try:
        Snapshot.from_json(broken)
    except PeerError as error:
        return str(error)
    return ""


@given(st.data())
def test_what_the_loader_or_the_schema_takes_both_take(data):
    broken = full_form()
    for _ in range(data.draw(st.integers(1, 2))):
        *way, last = data.draw(st.sampled_from(places(broken)))
        part = broken
        for step in way:
            part = part[step]
        if data.draw(st.integers(0, 5)):
            part[last] = deepcopy(data.draw(st.sampled_from(VALUES)))
        else:
            del part[last]
    words = loaders_words(broken)
    if any(each in words for each in BEYOND_A_SCHEMA):
        return
    assert (not words) is VALIDATOR.is_valid(broken), words


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("regions", {"alias": 1, "children": [0]}),
        ("regions", {"children": [1, 1]}),
        ("regions", {"type": "\ud800"}),
        ("slots", {"start": -1}),
        ("slots", {"host": 1 << 64}),
        ("slots", {"size": 0}),
    ],
)
def test_both_refuse(where, change):
    broken = full_form()
    broken[where][-1] |= change
    assert loaders_words(broken)
    assert not VALIDATOR.is_valid(broken)


def test_an_integer_may_be_written_as_javascript_may():
    written = full_form()
    written["slots"][0]["size"] = 4096.0
    written["regions"][0]["priority"] = -1e3
    VALIDATOR.validate(written)
    assert Snapshot.from_json(written).slots[0].size == 4096
    assert Snapshot.from_json(written).regions[0].priority == -1000


@pytest.mark.parametrize("name", ["format", "format_version"])
def test_the_loader_too_wants_to_be_told_what_it_is(name):
    silent = full_form()
    del silent[name]
    assert name in loaders_words(silent)


def test_what_is_nested_too_deeply_is_refused_in_words():
    deep = full_form()
    deep["regions"][0]["size"] = 4096.0
    more: Any = 1
    for _ in range(5000):
        more = [more]
    deep["more"] = more
    with pytest.raises(PeerError, match="nested too deeply"):
        Snapshot.from_json(deep)
