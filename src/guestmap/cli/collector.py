"""When Python looks for garbage: not while a program only makes what it keeps."""

from __future__ import annotations

import gc


def collect_from_now_on() -> None:
    """Leave what there is alone, and look for garbage in what comes."""
    gc.freeze()
    gc.enable()
