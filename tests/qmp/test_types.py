"""The range of each integer type (QEMU, docs/devel/qapi-code-gen, "Built-in Types")."""

from __future__ import annotations

import pytest

from guestmap.qmp import types


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("int", -(2**63), 2**63 - 1),
        ("int8", -128, 127),
        ("int16", -32_768, 32_767),
        ("int32", -2_147_483_648, 2_147_483_647),
        ("int64", -(2**63), 2**63 - 1),
        ("uint8", 0, 255),
        ("uint16", 0, 65_535),
        ("uint32", 0, 4_294_967_295),
        ("uint64", 0, 2**64 - 1),
        ("size", 0, 2**64 - 1),
    ],
)
def test_an_integer_type_has_the_range_that_its_name_says(name: str, low: int, high: int) -> None:
    kind = getattr(types, name.upper())
    assert (kind.name, kind.json_type) == (name, "int")
    assert (kind.low, kind.high, kind.unsigned) == (low, high, low == 0)
