"""Long work in short steps: who has one thread for many clients gives each its turn.

Whatever may take long here is a generator that yields :data:`PAUSE` now and then; between two
pauses it reads :data:`STEP_BYTES` or :data:`STEP_TOKENS` at most, which takes about a millisecond.
Whoever does not share its thread drops the pauses.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable


class Pause(Enum):
    """The type of :data:`PAUSE`; ``None`` would not do, as it is a value of JSON."""

    PAUSE = "pause"


PAUSE: Final = Pause.PAUSE
STEP_BYTES: Final = 8 << 10
STEP_TOKENS: Final = 256
PIECE: Final = 1 << 10
"""Bytes or characters of a text that are looked at in one go."""
_PIECE_COST: Final = STEP_BYTES // STEP_TOKENS


def join(pieces: Iterable[str]) -> Generator[Pause, None, str]:
    """Return pieces of text as one, in steps; a piece is to have a few KiB at most."""
    text: list[str] = []
    done = 0
    for piece in pieces:
        text.append(piece)
        done += len(piece) + _PIECE_COST
        if done > STEP_BYTES:
            done = 0
            yield PAUSE
    return "".join(text)
