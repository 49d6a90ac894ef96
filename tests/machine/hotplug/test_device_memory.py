"""Which addresses a memory device gets: QEMU's rules (hw/mem/memory-device.c), one by one."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.machine.hotplug.device_memory import Taken, free_address

GIB, MIB = 1 << 30, 1 << 20
WINDOW = (4 * GIB, 8 * GIB)
ALIGN = 2 * MIB


def taken(*ranges: tuple[int, int]) -> list[Taken]:
    return [Taken(start, size, f"d{number}") for number, (start, size) in enumerate(ranges)]


@pytest.mark.parametrize(
    ("ranges", "size", "start"),
    [
        pytest.param([], GIB, 4 * GIB, id="an empty window"),
        pytest.param([], 8 * GIB, 4 * GIB, id="all of the window"),
        pytest.param([(4 * GIB, GIB)], GIB, 5 * GIB, id="behind the first"),
        pytest.param([(4 * GIB, GIB), (6 * GIB, GIB)], GIB, 5 * GIB, id="a gap of just that size"),
        pytest.param(
            [(4 * GIB, GIB), (6 * GIB, GIB)], GIB + ALIGN, 7 * GIB, id="a gap that is too small"
        ),
        pytest.param([(5 * GIB, GIB)], GIB, 4 * GIB, id="a gap of just that size at the start"),
        pytest.param([(4 * GIB, 7 * GIB)], GIB, 11 * GIB, id="a gap of just that size at the end"),
        pytest.param([(6 * GIB, GIB), (4 * GIB, GIB)], 2 * GIB, 7 * GIB, id="in any order"),
        pytest.param([(4 * GIB, MIB)], GIB, 4 * GIB + ALIGN, id="aligned behind an odd one"),
        pytest.param([(3 * GIB, GIB)], GIB, 4 * GIB, id="one that ends where the window begins"),
    ],
)
def test_the_first_gap_that_is_large_enough(
    ranges: list[tuple[int, int]], size: int, start: int
) -> None:
    assert free_address(WINDOW, taken(*ranges), 0, ALIGN, size) == start


@pytest.mark.parametrize("hint", [4 * GIB, 5 * GIB, 6 * GIB, 7 * GIB])
def test_an_address_that_is_asked_for_may_touch_its_neighbours(hint: int) -> None:
    others = taken((4 * GIB, GIB), (6 * GIB, GIB))
    if hint in {4 * GIB, 6 * GIB}:
        name = "d0" if hint == 4 * GIB else "d1"
        with pytest.raises(ConfigError, match=f"conflicts with memory device id='{name}'"):
            free_address(WINDOW, others, hint, ALIGN, GIB)
    else:
        assert free_address(WINDOW, others, hint, ALIGN, GIB) == hint


@pytest.mark.parametrize(
    ("hint", "size", "refusal"),
    [
        (4 * GIB - ALIGN, GIB, "usable range"),
        (11 * GIB + ALIGN, GIB, "usable range"),
        (11 * GIB, GIB, None),
        (4 * GIB, GIB, None),
        (5 * GIB + MIB, GIB, "address must be aligned to 0x200000 bytes"),
        (0, GIB + MIB, "backend memory size must be multiple of 0x200000"),
        (0, 8 * GIB + ALIGN, "memory fragmented"),
        (0, 8 * GIB, None),
    ],
)
def test_what_does_not_fit_is_refused(hint: int, size: int, refusal: str | None) -> None:
    if refusal is None:
        assert free_address(WINDOW, [], hint, ALIGN, size) == hint or 4 * GIB
    else:
        with pytest.raises(ConfigError, match=refusal):
            free_address(WINDOW, [], hint, ALIGN, size)


def test_the_last_gap_may_be_too_small_by_one_alignment() -> None:
    others = taken((4 * GIB, 7 * GIB + ALIGN))
    with pytest.raises(ConfigError, match="memory fragmented"):
        free_address(WINDOW, others, 0, ALIGN, GIB)


def test_nothing_reaches_beyond_the_address_space() -> None:
    top = ((1 << 64) - GIB, GIB)
    assert free_address(top, [], 0, ALIGN, GIB) == top[0]
    with pytest.raises(ConfigError, match="too big"):
        free_address(top, [], 0, ALIGN, GIB + ALIGN)


def test_a_device_without_a_name_is_told_of_as_such() -> None:
    with pytest.raises(ConfigError, match=r"id='\(unnamed\)'"):
        free_address(WINDOW, [Taken(4 * GIB, GIB, "")], 4 * GIB, ALIGN, GIB)
