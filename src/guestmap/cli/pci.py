"""``guestmap pci``: a machine's PCI functions, and what each of them decodes."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from guestmap.base import ConfigError
from guestmap.cli.board_option import AtEach, Board
from guestmap.cli.completing import sources
from guestmap.cli.output import envelope, show_moments
from guestmap.cli.own_source import own_sources
from guestmap.cli.parameters import GIVEN_UP, Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.inspect import Snapshot
    from guestmap.inspect.ask.pci import PciDevices
    from guestmap.inspect.ask.pci.listing import PciListing
    from guestmap.inspect.sources.live import Attachment

PciSource = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        autocompletion=sources,
        help="A running machine (unix:SOCKET, tcp:HOST:PORT, libvirt:NAME), a folder with its"
        " texts (info-pci.txt, mtree-f.txt), or a PC of guestmap's own: 'boot' (after its firmware"
        " ran) or 'reset', with RAM as in 'boot:4G'." + GIVEN_UP,
    ),
]


def pci(source: PciSource, machine: Board = "", at: AtEach = None, as_json: Json = False) -> None:
    """List PCI functions: their BARs, who answers there, and what bridges pass on.

    The regions behind BARs are named even where they are not in the map, since the guest has not
    given the BAR an address, or decoding is off.
    """
    from guestmap.inspect.ask.pci import pci_sentences

    listed = [_listing(each) for each in own_sources(source, machine, at)]
    answers = [(envelope("pci", told.to_json()), pci_sentences(told)) for told in listed]
    show_moments("pci", at, answers, as_json)


def _listing(source: str) -> PciListing:
    from guestmap.cli.patience import patience
    from guestmap.inspect.ask.pci import listing, read_pci

    if Path(source).is_dir():
        return listing(*_of_folder(Path(source)))
    with attached(source) as found, patience(source):
        return listing(read_pci(found.monitor), found.snapshot(trees=False))


def _of_folder(folder: Path) -> tuple[PciDevices, Snapshot]:
    """Return what a folder of a machine's texts says of PCI, and its map."""
    from guestmap.base import HostError
    from guestmap.inspect.sources.folder import pci_of_folder, snapshot_of_folder

    try:
        return pci_of_folder(folder), snapshot_of_folder(folder)
    except OSError as error:
        raise HostError(f"cannot read {str(folder)!r} ({error.strerror})", call="read") from error


def is_machine(source: str) -> bool:
    """Tell whether a source is a machine, which can be asked more than its map."""
    from guestmap.cli.source import own_machine
    from guestmap.qmp.client import parse_target

    return own_machine(source) is not None or parse_target(source) is not None


@contextmanager
def attached(source: str) -> Iterator[Attachment]:
    """Attach to a machine that can be asked: somebody's, or one of our own made for this.

    Raises:
        ConfigError: it is neither.
    """
    from guestmap.cli.patience import asked_machine
    from guestmap.cli.source import own_machine
    from guestmap.qmp.client import FORMS, parse_target

    own = own_machine(source)
    if own is not None:
        from guestmap.cli.own_channel import own_attachment

        with own_attachment(*own) as machine:
            yield machine
        return
    target = parse_target(source)
    if target is None:
        raise ConfigError(
            f"pci needs a running machine ({', '.join(FORMS)}, or 'boot' or 'reset' for one of"
            f" guestmap's own), and {source!r} is none"
        )
    with asked_machine(source, target) as machine:
        yield machine
