"""When Python looks for garbage: not while a program only makes what it keeps."""

from __future__ import annotations

import gc

_YOUNG, _OLDER, _FULL = 700, 10, 100
"""Python's own but for the last, which is 10 there: a full collection is due after ten times as
many new objects as Python waits for, more than the longest message to the monitor has. Who waits
for an answer beside it waited for such a collection of all that was read so far."""


def collect_from_now_on() -> None:
    """Leave what there is alone, and look for garbage in what comes."""
    gc.freeze()
    gc.set_threshold(_YOUNG, _OLDER, _FULL)
    gc.enable()
