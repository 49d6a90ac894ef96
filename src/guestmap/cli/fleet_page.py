"""What ``guestmap fleet audit --page`` writes: a page of cells, and a page for each map."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, HostError, write_whole
from guestmap.base.whole_file import refuse_unwritable
from guestmap.cli.draw import rendered
from guestmap.cli.output import say_of

if TYPE_CHECKING:
    from guestmap.fleet.record import MachineAudit


class AuditPage:
    """Takes the machines of an audit; draws each map once, however many machines have it.

    Args:
        maps: the folder of the maps' pages.
    """

    def __init__(self, maps: Path) -> None:
        self._maps = maps
        self.records: list[MachineAudit] = []
        self.drawn: set[str] = set()

    def add(self, record: MachineAudit) -> None:
        """Take a machine, and draw its map where no other had that."""
        self.records.append(replace(record, map=None))
        if record.map is None or record.digest in self.drawn:
            return
        from guestmap.view import compose

        self.drawn.add(record.digest)
        page = rendered(compose(record.map), ".html")
        write_whole(self._maps / f"{record.digest}.html", page)


@contextmanager
def audit_page(path: Path) -> Iterator[AuditPage]:
    """Have a page for an audit; it is written at the end: machines by host, then by name.

    Args:
        path: of the page; the maps' are in ``PAGE-maps`` beside it.

    Raises:
        ConfigError: its name does not end in .html.
        HostError: the folder cannot be made, or the page not be written.
    """
    if path.suffix.lower() != ".html":
        raise ConfigError(f"cannot write the page {path}: its name must end in .html")
    maps = path.with_name(f"{path.stem}-maps")
    try:
        maps.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise HostError(f"cannot make {maps} ({error.strerror})", call="mkdir") from error
    refuse_unwritable(path)
    taken = AuditPage(maps)
    yield taken
    from guestmap.fleet.page import fleet_page

    records = sorted(taken.records, key=lambda each: (each.host, each.machine))
    page = fleet_page(records, "fleet", maps=maps.name).encode()
    write_whole(path, page)
    say_of(path, f"{path}: {len(page):,} bytes, {len(taken.drawn)} maps beside it")
