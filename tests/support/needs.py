"""What a test needs and a host lacks: a skip, or a failure where GUESTMAP_REQUIRE has it."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def is_required(need: str) -> bool:
    """Tell whether the variable's list, with commas, has a need or ``all``."""
    words = {word.strip() for word in os.environ.get("GUESTMAP_REQUIRE", "").split(",")}
    return bool(words & {need, "all"})


def skip_without(need: str, lacking: str) -> NoReturn:
    """End a test for what is lacking: skip it, or fail it where that is required."""
    if is_required(need):
        pytest.fail(lacking)
    pytest.skip(lacking)
