"""What happens in a film, and how time goes on while it plays."""

from __future__ import annotations

import pytest

from guestmap.view.film import Film, Frame
from guestmap.view.player import SPEEDS, Player, fitting_speed, moments
from tests.view.maps import pc


@pytest.fixture
def film() -> Film:
    film = Film("a boot")
    for time_s, cause in ((0.0, "at reset"), (0.02, "PAM"), (0.2, "PCI")):
        film.add(Frame(time_s, cause, pc()))
    film.mark("setup", 0.1)
    film.note(0.01, "SeaBIOS")
    film.note(0.02, "behind the change")
    return film


def test_all_that_happens_is_in_one_order_with_the_frame_of_then(film):
    assert [(each.text, each.frame) for each in moments(film)] == [
        (">> at reset", 0), ("SeaBIOS", 0), (">> PAM", 1), ("behind the change", 1),
        ("== setup", 1), (">> PCI", 2),
    ]  # fmt: skip


def test_it_plays_at_the_pace_of_the_log_and_ends(film):
    player, told = Player(), moments(film)
    assert player.advance(told, 0.2, "10 times slower")
    assert player.at_s == pytest.approx(0.02)
    for _ in range(8):
        assert player.advance(told, 0.2, "10 times slower")
    assert not player.advance(told, 0.3, "10 times slower")


def test_what_is_empty_is_passed_over(film):
    film.add(Frame(100.0, "much later", pc()))
    player, told = Player(), moments(film)
    player.at_s = 0.2
    player.advance(told, 0.2, "real time")
    assert player.at_s == pytest.approx(98.0)


def test_a_boot_is_slowed_down_until_it_can_be_followed(film):
    assert fitting_speed(film) == SPEEDS[2]
    assert fitting_speed(Film("nothing")) in SPEEDS
