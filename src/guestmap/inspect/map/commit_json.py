"""A commit of the memory map as JSON, for whoever reports what changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guestmap.memory import FlatRange
    from guestmap.memory.map import CommitRecord


def commit_to_json(
    record: CommitRecord, time: dict[str, int | float], *, offset_key: str
) -> dict[str, Any]:
    """Return a commit; addresses and sizes are in bytes.

    Args:
        record: the commit.
        time: when it was, under the key and in the unit of the report.
        offset_key: what the report calls the offset in a region.
    """

    def ranges(several: tuple[FlatRange, ...]) -> list[dict[str, Any]]:
        return [
            {
                "start": each.start,
                "size": each.size,
                "type": each.mtree_type(),
                "name": each.region.name,
                offset_key: each.offset_in_region,
            }
            for each in several
        ]

    return {
        "generation": record.generation,
        **time,
        "cause": record.cause,
        "rerouted": list(record.rerouted),
        "changes": [
            {"root": change.root, "removed": ranges(change.removed), "added": ranges(change.added)}
            for change in record.changes
        ],
    }
