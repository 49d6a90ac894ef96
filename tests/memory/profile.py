"""How many random examples the property tests try.

By default few, and the same ones each time. ``GUESTMAP_EXAMPLES=20000`` tries that many new ones.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

_WANTED = os.environ.get("GUESTMAP_EXAMPLES", "")


def examples(default: int) -> settings:
    """Return settings that try ``default`` examples, or as many as the environment asks for."""
    return settings(
        max_examples=int(_WANTED or default),
        derandomize=not _WANTED,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
