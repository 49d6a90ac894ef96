"""Tables of very many rows, printed as rich would."""

from __future__ import annotations

from io import StringIO
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from guestmap.base import printable
from guestmap.cli.console import VisibleConsole
from guestmap.cli.plain_rows import plain_lines
from guestmap.cli.tables import cell, print_whole, table

if TYPE_CHECKING:
    from rich.console import RenderableType

NAMES = st.text(max_size=12).map(cell)
OURS = st.sampled_from(["", "0000000000000000", "4 KiB", "100 %", "i/o", "hidden"])
BRANCHES = st.tuples(st.sampled_from(["", "└ ", "│ ├ "]), NAMES).map(
    lambda both: Text(both[0], style="dim") + both[1]
)
ROWS = st.lists(st.tuples(NAMES, OURS, BRANCHES, OURS), max_size=8)


def _table(rows: list[tuple[RenderableType, ...]]) -> Table:
    made = table("from", ("size", "right"), "region", ("seen", "right"))
    for row in rows:
        made.add_row(*row, style="green")
    return made


def _printed(made: Table, *, width: int = 200) -> str:
    out = StringIO()
    console = VisibleConsole(file=out, width=width, highlight=False, markup=False)
    print_whole(console, made)
    return out.getvalue()


@given(ROWS, st.sampled_from([20, 200]))
def test_lines_are_rich_s(rows: list[tuple[RenderableType, ...]], width: int) -> None:
    made = _table(rows)
    lines = plain_lines(made)
    assert lines is not None
    assert "".join(f"{line}\n" for line in lines) == _printed(made, width=width)


def test_very_many_are_printed_as_few_are() -> None:
    row = (cell("a"), "4 KiB", cell("név 漢字"), "")
    few, many = _printed(_table([row] * 3)), _printed(_table([row] * 3000))
    head, line, *_ = few.splitlines()
    assert many.splitlines() == [head, *[line] * 3000]


def test_what_is_made_into_something_else_is_left_to_rich() -> None:
    for strange in (Text("two\nlines"), ":smile:", Text("\x1b[31m"), Table()):
        assert plain_lines(_table([(strange, "", "", "")])) is None
    assert plain_lines(_table([(Text(printable("\x1b[31m:smile:")), "", "", "")])) is not None
