"""Rich's console, through which no foreign control character passes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from rich.console import Console
from rich.segment import Segment

from guestmap.base import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import ConsoleOptions, RenderableType

_PLAIN_WIDTH = 200


class VisibleConsole(Console):
    """A console that styles what it prints, and shows what is not printable in it as data.

    Whoever lays out columns makes names printable beforehand, lest a column be too narrow; this is
    for whoever forgets.
    """

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterator[Segment]:
        """Yield the segments of a renderable; those that control the terminal are rich's own."""
        for each in super().render(renderable, options):
            if each.control or each.text.isprintable():
                yield each
            else:
                yield Segment(printable_lines(each.text), each.style)


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return where to print; into a pipe or a file lines are not cut to a terminal's width."""
    stream = sys.stderr if stderr else sys.stdout
    # rich's own way to ask for it looks one stream deep, and a progress bar puts another on top
    file = getattr(stream, "rich_proxied_file", stream)
    return VisibleConsole(
        file=file, quiet=quiet, highlight=False, markup=False,
        width=None if stream.isatty() else _PLAIN_WIDTH,
    )  # fmt: skip
