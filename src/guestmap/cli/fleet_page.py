"""What ``guestmap fleet audit --page`` writes: a page of cells, and a page for each map."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from guestmap.base import ConfigError, HostError, write_whole
from guestmap.base.whole_file import refuse_unwritable
from guestmap.cli.draw import rendered
from guestmap.cli.output import say_of

if TYPE_CHECKING:
    from types import TracebackType

    from guestmap.fleet.record import MachineAudit


class AuditPage:
    """Takes the machines of an audit; draws each map once, however many machines have it.

    Args:
        path: of the page; the maps' are in ``PAGE-maps`` beside it.

    Raises:
        ConfigError: its name does not end in .html.
        HostError: the folder cannot be made, or the page could not be written.
    """

    def __init__(self, path: Path) -> None:
        if path.suffix.lower() != ".html":
            raise ConfigError(f"cannot write the page {path}: its name must end in .html")
        self._path = path
        self._maps = path.with_name(f"{path.stem}-maps")
        self._records: list[MachineAudit] = []
        self._drawn: set[str] = set()
        try:
            self._maps.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise HostError(f"cannot make {self._maps} ({error.strerror})", call="mkdir") from error
        refuse_unwritable(path)

    def add(self, record: MachineAudit) -> None:
        """Take a machine, and draw its map where no other had that."""
        self._records.append(replace(record, map=None))
        if record.map is None or record.digest in self._drawn:
            return
        from guestmap.view import compose

        self._drawn.add(record.digest)
        page = rendered(compose(record.map), ".html")
        write_whole(self._maps / f"{record.digest}.html", page)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Write the page, unless something went wrong: machines by host, then by name."""
        if kind is not None:
            return
        from guestmap.fleet.page import fleet_page

        records = sorted(self._records, key=lambda each: (each.host, each.machine))
        page = fleet_page(records, "fleet", maps=self._maps.name).encode()
        write_whole(self._path, page)
        say_of(self._path, f"{self._path}: {len(page):,} bytes, {len(self._drawn)} maps beside it")
