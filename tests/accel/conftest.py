from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.accel.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(params=["unicorn"])
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A machine for each engine that runs code."""
    with Guest(request.param) as machine:
        yield machine


@pytest.fixture(params=["none", "unicorn"])
def machine(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A machine for each engine."""
    with Guest(request.param) as machine:
        yield machine
