"""Fixtures of the memory model's tests."""

from __future__ import annotations

import sys

import pytest

from guestmap.memory import MemorySystem

render_module = sys.modules["guestmap.memory.map.render"]


@pytest.fixture
def memory() -> MemorySystem:
    """The memory system of one machine."""
    return MemorySystem()


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on views without end: random trees make many of them; and have many pages."""
    monkeypatch.setattr(render_module, "PAGE", 3)
    monkeypatch.setattr(render_module, "MAX_VISITS", 20_000)
    monkeypatch.setattr(render_module, "MAX_ALIAS_DEPTH", 48)
