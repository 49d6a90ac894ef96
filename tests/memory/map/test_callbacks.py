"""A callback that does not take what it will be called with is refused as its region is made."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from guestmap.base import ConfigError
from guestmap.memory import MemoryRegionOps, MemorySystem
from guestmap.memory.map.arguments import takes


class Device:
    """Callbacks of each kind that take two arguments."""

    def method(self, offset: int, size: int) -> int:
        return offset + size

    __call__ = method

    @staticmethod
    def static(offset: int, size: int) -> int:
        return offset + size

    @classmethod
    def of_class(cls, offset: int, size: int) -> int:
        return offset + size


def two(offset: int, size: int) -> int:
    return offset + size


def one_to_three(offset: int, size: int = 1, _more: int = 0) -> int:
    return offset + size


def any_number(*_arguments: int) -> int:
    return 0


def two_and_more(offset: int, size: int, *_more: int) -> int:
    return offset + size


def named(offset: int, size: int, *, order: str) -> int:
    return offset + size + len(order)


LEAST_AND_MOST: list[tuple[Callable[..., int], int, int]] = [
    (two, 2, 2), (Device().method, 2, 2), (Device(), 2, 2), (Device().static, 2, 2),
    (Device().of_class, 2, 2), (Device.method, 3, 3), (one_to_three, 1, 3), (any_number, 0, 9),
    (two_and_more, 2, 9), (named, 9, 0), (partial(two, 0), 1, 1), (partial(one_to_three, 0), 0, 2),
    (partial(Device().method), 2, 2), (partial(named, order="little"), 0, 9), (divmod, 0, 9),
]  # fmt: skip
"""Functions, and how many arguments they take; what nobody can see is taken for right."""


@pytest.mark.parametrize(("function", "least", "most"), LEAST_AND_MOST)
def test_what_a_function_takes_is_seen(function: Callable[..., int], least: int, most: int) -> None:
    taken = {count for count in range(10) if takes(function, count)}

    assert taken == set(range(least, most + 1))


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("read", "2 arguments (offset, size)"),
        ("write", "3 arguments (offset, value, size)"),
        ("read_with_attrs", "3 arguments (offset, size, attrs)"),
        ("write_with_attrs", "4 arguments (offset, value, size, attrs)"),
    ],
)
def test_a_region_is_not_made_with_a_callback_that_fits_nothing(which: str, words: str) -> None:
    memory = MemorySystem()
    wrong: dict[str, Any] = {which: lambda: 0}
    for make in (memory.io, memory.rom_device):
        with pytest.raises(ConfigError) as caught:
            make("uart", 0x10, MemoryRegionOps(**wrong))
        assert str(caught.value).startswith(
            f"region 'uart': its callback {which!r} is called with {words}, which <function"
        )
