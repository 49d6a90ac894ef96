"""Registers with a state, as a saved machine knows them, and the names that they have in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from guestmap.hw.device import RegisterBlock


class Saveable(Protocol):
    """Registers with a state, as a saved machine knows them."""

    @property
    def state(self) -> Any:
        """All that a guest can have made of them: a value of a class of its own."""

    def save(self) -> Any:
        """Return a copy of the state, with all that it takes to go on from here."""

    def load(self, state: Any, /) -> None:
        """Go on from a state that such registers were saved in.

        Raises:
            ConfigError: they can be in no such state.
        """


def named(*blocks: RegisterBlock[Any]) -> dict[str, Saveable]:
    """Return blocks, and the parts of those that have any, by names: each after its class.

    Of several of one class, the second has a 1 behind it, and so on.
    """
    found: dict[str, Saveable] = {}
    counts: Counter[str] = Counter()
    for each in blocks:
        name = type(each).__name__
        number, counts[name] = counts[name], counts[name] + 1
        name += str(number) if number else ""
        found[name] = each
        for part, inner in getattr(each, "parts", {}).items():
            found[f"{name}/{part}"] = inner
    return found
