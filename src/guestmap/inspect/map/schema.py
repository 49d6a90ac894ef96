"""The JSON Schema of a snapshot, made from the types themselves.

It takes what :meth:`~guestmap.inspect.map.snapshot.Snapshot.from_json` takes. What a JSON Schema
has no words for is in :mod:`guestmap.inspect.map.check` alone: that what an id names is there, and
that ranges are in order.

``snapshot.schema.json`` beside this module is its output, kept for those who want the file; a test
holds the two together. To write it anew::

    guestmap snapshot --schema > src/guestmap/inspect/map/snapshot.schema.json
"""

from __future__ import annotations

import inspect
import json
from typing import Any

import msgspec

from guestmap.inspect.map.snapshot import FORMAT, FORMAT_VERSION, Snapshot

FILE_NAME = "snapshot.schema.json"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

_REQUIRED = {"Snapshot": ["format", "format_version"]}
"""Fields that have a default here, but that tell a reader what is before him."""

_RULES = {
    "RegionInfo": {
        "if": {"properties": {"alias": {"type": "integer"}}, "required": ["alias"]},
        "then": {"properties": {"children": {"maxItems": 0}}},
    }
}
"""What the types do not say: an alias has no children."""


def snapshot_schema() -> dict[str, Any]:
    """Return the schema as JSON-able values."""
    (root,), parts = msgspec.json.schema_components([Snapshot], ref_template="#/$defs/{name}")
    for name, part in parts.items():
        part["description"] = inspect.cleandoc(part["description"])
        if name in _REQUIRED:
            part["required"] = [*_REQUIRED[name], *part["required"]]
        part |= _RULES.get(name, {})
    return {
        "$schema": DIALECT,
        "title": f"{FORMAT}, version {FORMAT_VERSION}",
        **root,
        "$defs": parts,
    }


def schema_text() -> str:
    """Return the schema as it is in the file."""
    return json.dumps(snapshot_schema(), indent=2) + "\n"
