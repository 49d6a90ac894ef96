"""The JSON Schema that other programs rely on."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
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
