"""Memory hooks cover what is no RAM, and large RAM not at all."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.accel.unicorn.elsewhere import SMALLEST, Elsewhere

TOP = (1 << 64) - 1


class Hooks:
    """Stands for an instance: keeps the ranges that are hooked."""

    def __init__(self) -> None:
        self.covered: dict[int, tuple[int, int]] = {}
        self._last = 0

    def hook_add(self, _kind: int, _call: Any, _data: object, first: int, last: int) -> int:
        self._last += 1
        self.covered[self._last] = (first, last)
        return self._last

    def hook_del(self, handle: int) -> None:
        del self.covered[handle]


@pytest.mark.parametrize(
    ("ram", "covered"),
    [
        ([], [(0, TOP)]),
        ([(0, SMALLEST)], [(SMALLEST, TOP)]),
        ([(0, SMALLEST - 1)], [(0, TOP)]),
        ([(0, SMALLEST), (2 * SMALLEST, 4 * SMALLEST)],
         [(SMALLEST, 2 * SMALLEST - 1), (4 * SMALLEST, TOP)]),
        ([(SMALLEST // 2, SMALLEST), (0, SMALLEST // 2)], [(SMALLEST, TOP)]),
        ([(SMALLEST, 2 * SMALLEST)], [(0, SMALLEST - 1), (2 * SMALLEST, TOP)]),
    ],
)  # fmt: skip
def test_what_is_covered(ram, covered):
    hooks = Hooks()
    elsewhere = Elsewhere(hooks, {1: lambda *_: True})
    assert list(hooks.covered.values()) == [(0, TOP)]
    elsewhere.leave_out(ram)
    assert list(hooks.covered.values()) == covered
    elsewhere.leave_out([])
    assert list(hooks.covered.values()) == [(0, TOP)]
