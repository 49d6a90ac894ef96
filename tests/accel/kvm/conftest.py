from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.accel.kvm.bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def bench() -> Iterator[Bench]:
    with Bench() as made:
        yield made
