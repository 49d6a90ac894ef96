"""Columns that bokeh writes as they are: it would look at each value, and at most have none to do.

Values are what JSON has (texts, finite numbers, truth values, short lists of them), never models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bokeh.core.serialization import Serializable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bokeh.core.serialization import AnyRep, Serializer


class Plain(list[Any], Serializable):
    """A column whose values are JSON's already."""

    def to_serializable(self, serializer: Serializer) -> AnyRep:
        """Return the values."""
        del serializer
        return list(self)


def plain(columns: Mapping[str, Sequence[Any]]) -> dict[str, Plain]:
    """Return columns that are written as they are."""
    return {name: Plain(values) for name, values in columns.items()}
