"""What the sub-commands that print maps have in common: colours, columns, and how wide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from guestmap.base import printable
from guestmap.cli.console import console
from guestmap.cli.plain_rows import plain_lines
from guestmap.inspect.ask.spaces import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

__all__ = [
    "HIDDEN", "STYLES", "Column", "cell", "console", "names_of", "percent", "print_titled",
    "print_whole", "table",
]  # fmt: skip

STYLES = {"ram": "green", "rom": "yellow", "romd": "yellow", "ramd": "green", "i/o": "cyan"}
"""By region type."""

Column = str | tuple[str, str]
HIDDEN = "dim"
_MAX_NAMES = 4
_ANY_WIDTH = 1 << 16
_MANY = 1000
"""Rows from which on rich takes its time."""


def cell(text: str) -> Text:
    """Return foreign text as it stands in a table: never markup, never more than one line."""
    return Text(printable(text))


def table(*columns: Column, title: str | None = None) -> Table:
    """Return an empty table without lines; columns are a name, or a name and ``right``."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        name, justify = (column, "left") if isinstance(column, str) else column
        made.add_column(name, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    return made


def print_titled(out: Console, title: str, below: Table) -> None:
    """Print a table under its title, and a blank line."""
    out.print(Text(printable(title), style="bold"), soft_wrap=True)
    if below.row_count:
        print_whole(out, below)
    out.print()


def print_whole(out: Console, made: Table) -> None:
    """Print a table with every cell whole: lines that are too long the terminal wraps.

    Left to itself rich cuts all columns where the terminal is narrow, addresses among them.
    """
    is_plain = not (out.is_terminal or out.quiet)
    if made.row_count > _MANY and is_plain and (lines := plain_lines(made)) is not None:
        out.file.writelines(f"{line}\n" for line in lines)
        return
    needed = Measurement.get(out, out.options.update(max_width=_ANY_WIDTH), made).maximum
    if needed > out.width:
        made.width = needed
    out.print(made, crop=False)


def names_of(spaces: Sequence[str]) -> str:
    """Return the names of address spaces, what CPUs see first, the rest counted where many are."""
    spaces = sorted(spaces, key=lambda name: name != DEFAULT)
    shown = ", ".join(spaces[:_MAX_NAMES])
    more = len(spaces) - _MAX_NAMES
    return f"{shown} and {more} more" if more > 0 else shown


def percent(part: int, whole: int) -> str:
    """Return a share: never 0 % of what is there, never 100 % where some is missing."""
    if not whole or not part:
        return ""
    share = 100 * part / whole
    if share < 0.1:
        return "<0.1 %"
    if part < whole and share > 99.9:
        return ">99.9 %"
    return f"{share:.1f} %" if part < whole else "100 %"
