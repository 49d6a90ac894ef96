"""What the analyses' results have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from guestmap.inspect.map.snapshot import RegionInfo


class Report:
    """A frozen result with a JSON form: objects with its field names, lists, integers."""

    __slots__ = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        form: dict[str, Any] = msgspec.to_builtins(self)
        return form


@dataclass(frozen=True, slots=True)
class RegionRef:
    """Names a region: ``id`` is exact, ``name`` is for people."""

    id: int
    name: str

    @classmethod
    def to(cls, region: RegionInfo) -> RegionRef:
        """Return a reference to ``region``."""
        return cls(region.id, region.name)
