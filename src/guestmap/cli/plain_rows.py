"""A table's lines as rich prints them where nothing is coloured, in a fraction of its time.

rich makes some objects of each cell: a map of 100,000 lines takes it more than a minute.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import RenderableType
    from rich.table import Column, Table


def plain_lines(made: Table) -> Iterator[str] | None:
    """Return the lines of a table as :func:`guestmap.cli.tables.table` makes them.

    Args:
        made: without a title; each cell is one line.

    Returns:
        None where a cell is neither a :class:`~rich.text.Text` nor a plain ``str``.
    """
    columns = [_padded(column) for column in made.columns]
    if any(column is None for column in columns):
        return None
    return map("  ".join, zip(*(column for column in columns if column is not None), strict=True))


def _padded(column: Column) -> list[str] | None:
    """Return a column's cells, its head first, each as wide as the widest."""
    words = [_words(each) for each in chain((column.header,), column.cells)]
    if None in words:
        return None
    known = [each for each in words if each is not None]
    widths = _widths(known)
    widest = max(widths)
    if column.justify == "right":
        return [" " * (widest - width) + word for word, width in zip(known, widths, strict=True)]
    return [word + " " * (widest - width) for word, width in zip(known, widths, strict=True)]


def _widths(words: Iterable[str]) -> list[int]:
    return [len(each) if each.isascii() else cell_len(each) for each in words]


def _words(cell: RenderableType) -> str | None:
    if isinstance(cell, Text):
        cell = cell.plain
    elif not isinstance(cell, str) or ":" in cell:  # of a str rich makes pictures of :words:
        return None
    return cell if cell.isprintable() else None
