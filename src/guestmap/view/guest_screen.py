"""A guest's screen, as the page that shows it knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ScreenFrame:
    """What a screen showed.

    Attributes:
        number: of the picture: another one has another number.
        width: dots, across.
        height: dots, down.
        rgb: red, green and blue of each, 8 bits each, from the upper left corner.
        place: says where a dot is in the guest's memory, for x and y from that corner.
    """

    number: int
    width: int
    height: int
    rgb: bytes
    place: Callable[[int, int], str]


class GuestScreen(Protocol):
    """A screen that can be looked at and typed into, by any number of pages."""

    takes_keys: bool
    """Whether what is typed goes to the guest."""
    hint: str
    """What one can do with it."""

    @property
    def frame(self) -> ScreenFrame | None:
        """The newest picture; None before the first."""

    def look(self) -> Callable[[], None]:
        """Have pictures taken; return what ends that."""

    def key(self, code: str, *, pressed: bool) -> None:
        """Press or release a key of the guest's keyboard; one that it has not is passed over.

        Args:
            code: ``KeyboardEvent.code`` (W3C, "UI Events KeyboardEvent code Values").
            pressed: whether it goes down.
        """
