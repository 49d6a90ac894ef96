"""What a film shows at a time, and how time goes on while it plays."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.view.film import Film

SPEEDS = ("real time", "10 times slower", "100 times slower", "1000 times slower")
"""How fast a film plays; the words of the page."""

_SLOWNESS = dict(zip(SPEEDS, (1, 10, 100, 1000), strict=True))
_WANTED_S = 20.0
"""A film that nobody has set a speed for lasts about as long."""
_LONGEST_WAIT_S = 2.0
"""Nothing happens for longer than that on the page: what is empty is passed over."""


@dataclass(frozen=True, slots=True)
class FilmMoment:
    """Something that happened: when, what, and which frame was so then."""

    time_s: float
    text: str
    frame: int


def moments(film: Film) -> list[FilmMoment]:
    """Return all that happened in a film, in order: its frames, marks and notes."""
    frames = [(film[index].time_s, index, film[index].cause) for index in range(len(film))]
    told = [(time_s, 0, f">> {cause or 'the map changed'}") for time_s, _, cause in frames]
    told += [(time_s, 1, f"== {name}") for name, time_s in film.marks.copy().items()]
    told += [(time_s, 2, text) for time_s, text in film.notes.copy()]
    found, index = [], 0
    for time_s, _, text in sorted(told, key=lambda each: each[:2]):
        while index + 1 < len(frames) and frames[index + 1][0] <= time_s:
            index += 1
        found.append(FilmMoment(time_s, text, index))
    return found


class Player:
    """A place in a film, that goes on with time."""

    def __init__(self) -> None:
        self.at_s = 0.0

    def advance(self, told: list[FilmMoment], elapsed_s: float, speed: str) -> bool:
        """Go on; False at the end.

        Args:
            told: what happens.
            elapsed_s: the time that has passed for who looks.
            speed: one of :data:`SPEEDS`.
        """
        slowness = _SLOWNESS[speed]
        times = [each.time_s for each in told]
        after = [time_s for time_s in times if time_s > self.at_s]
        if not after:
            return False
        self.at_s += elapsed_s / slowness
        if after[0] - self.at_s > _LONGEST_WAIT_S / slowness:
            self.at_s = after[0] - _LONGEST_WAIT_S / slowness
        return self.at_s < times[-1]


def fitting_speed(film: Film) -> str:
    """Return the speed at which a film lasts as long as one looks at such a thing."""
    length_s = film[len(film) - 1].time_s - film[0].time_s if len(film) else 0.0
    if not length_s:
        return SPEEDS[0]
    return min(SPEEDS, key=lambda speed: abs(log(length_s * _SLOWNESS[speed] / _WANTED_S)))
