"""What the verbs of ``guestmap fleet`` have in common: whom they ask, and how they tell of many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError
from guestmap.cli.output import counted, warn

if TYPE_CHECKING:
    from distributed import Client

    from guestmap.fleet.inventory import FleetInventory
    from guestmap.fleet.look import Patience

FEW = 32
"""Machines for which threads of this process will do: processes take longer to start."""

_NAMED = 8

InventoryWords = Annotated[
    list[str],
    typer.Argument(
        metavar="INVENTORY...",
        help="A file (.toml, .yaml), a folder of dumps, libvirt:, libvirt+URI:, -, or a SOURCE.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class FleetSetting:
    """The options of all verbs."""

    select: tuple[str, ...]
    source: str
    scheduler: str
    tls: tuple[str, str, str]
    workers: int
    dashboard: bool
    per_host: int
    timeout_s: float
    retries: int

    @property
    def everywhere(self) -> bool:
        """Whether each worker is on the host of every machine."""
        return not self.scheduler

    @property
    def patience(self) -> Patience:
        """How long a machine is tried."""
        from guestmap.fleet.look import Patience

        return Patience(self.timeout_s, self.retries)

    def inventory(self, words: Sequence[str]) -> FleetInventory:
        """Return the machines that are named, and chosen.

        Raises:
            ConfigError: there are none.
        """
        from guestmap.fleet.read_inventory import read_inventory

        whole = read_inventory(words, source_of=self.source)
        chosen = whole.selected(self.select)
        if not chosen.machines:
            raise ConfigError(
                f"none of {len(whole)} machines is chosen by {', '.join(self.select)}"
                if whole.machines
                else "the inventory names no machine"
            )
        return chosen

    @contextmanager
    def client(self, machines: int) -> Iterator[Client]:
        """Have a cluster's client; what is said of it goes to stderr."""
        from guestmap.fleet.cluster import ClusterSettings, TlsFiles, opened

        tls = TlsFiles(*self.tls) if all(self.tls) else None
        settings = ClusterSettings(
            scheduler=self.scheduler,
            tls=tls,
            workers=self.workers,
            processes=machines > FEW,
            dashboard=self.dashboard,
        )
        with opened(settings) as client:
            if self.dashboard:
                warn(f"dashboard: {client.dashboard_link}")
            yield client


def alike_sentences(alike: Mapping[tuple[str, ...], Sequence[str]]) -> Iterator[str]:
    """Say together what is so of machines, what is so of the most first.

    Who answered first decides nothing: the same fleet is told of in the same words.

    Args:
        alike: by what is said, the names of machines.
    """
    groups = [(told, sorted(names)) for told, names in alike.items()]
    for told, names in sorted(groups, key=lambda group: (-len(group[1]), group[1])):
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield f"{counted(len(names), 'machine')} ({', '.join(names[:_NAMED])}{more}):"
        yield from (f"  {line}" for line in told)
