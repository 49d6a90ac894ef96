"""What a page sent: any value that its message can hold, be it of a page of ours or not."""

from __future__ import annotations


def index_sent(value: object, count: int) -> int | None:
    """Return which of so many things a page named, 0 for the first; None where it is none of them.

    Args:
        value: a number, of which the fraction is left off, or its digits; NaN and infinity are
            numbers to bokeh, too.
        count: of the things that there are.
    """
    if not isinstance(value, float | int | str):
        return None
    try:
        index = int(value)
    except (ValueError, OverflowError):
        return None
    return index if 0 <= index < count else None
