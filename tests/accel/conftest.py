from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.accel.guest import Guest

if TYPE_CHECKING:
    from collections.abc import Iterator

KVM = pytest.param("kvm", marks=pytest.mark.kvm)


@pytest.fixture(params=["unicorn", "unicorn-documented", KVM])
def guest(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A machine for each engine that runs code, and each way to run it."""
    elsewhere = request.node.get_closest_marker("not_on_kvm")
    if elsewhere is not None and request.param == "kvm":
        pytest.skip(elsewhere.args[0])
    with Guest(request.param) as machine:
        yield machine


@pytest.fixture(params=["none", "unicorn", "unicorn-documented", KVM])
def machine(request: pytest.FixtureRequest) -> Iterator[Guest]:
    """A machine for each engine, and each way to run it."""
    with Guest(request.param) as machine:
        yield machine
