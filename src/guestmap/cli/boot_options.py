"""What ``guestmap boot`` was asked for, and which lines are plainly right.

See :mod:`guestmap.cli.plain`; :mod:`guestmap.cli.boot` reads all others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from guestmap.base.dataclass import dataclass
from guestmap.cli.plain import PlainForm, board, plain_words
from guestmap.machine.phases import Phase


@dataclass(frozen=True)
class BootOptions:
    """The parameters of :func:`guestmap.cli.boot.boot`, which says what each means.

    Attributes:
        given: those that stand on the command line, each with an option that gives it.
    """

    given: Mapping[str, str] = field(default_factory=dict)
    machine: str = ""
    ram: str = ""
    bios: Path | None = None
    until: Phase | None = None
    max_ram_below_4g: str = ""
    device: tuple[str, ...] = ()
    object_: tuple[str, ...] = ()
    smp: str = ""
    numa: tuple[str, ...] = ()
    option_rom: tuple[Path, ...] = ()
    drive: tuple[str, ...] = ()
    disk: tuple[Path, ...] = ()
    cdrom: Path | None = None
    vga: str = ""
    vapic: bool = False
    defaults: bool = False
    screenshot: Path | None = None
    kernel: Path | None = None
    initrd: Path | None = None
    append: str = ""
    kernel_entry: int = 16
    qmp: tuple[str, ...] = ()
    gdb: str = ""
    paused: bool = False
    serial: str = ""
    no_reboot: bool = False
    save: Path | None = None
    restore: Path | None = None
    snapshots: Path | None = None
    engine: str = ""
    mtree: bool = False
    flat: bool = False
    as_json: bool = False
    quiet: bool = False
    verbose: bool = False
    trace: tuple[str, ...] = ()
    stop_at: tuple[str, ...] = ()
    flow: bool = False
    screen: bool = False


_FLAGS: Final = {
    "--no-reboot": "no_reboot", "--vapic": "vapic", "--defaults": "defaults", "--flow": "flow",
    "--screen": "screen", "--mtree": "mtree", "--flat": "flat", "--json": "as_json",
    "--quiet": "quiet", "-q": "quiet", "--verbose": "verbose", "-v": "verbose",
}  # fmt: skip
_VALUES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "-M": ("machine", board), "--machine": ("machine", board),
    "-m": ("ram", str), "--until": ("until", Phase), "--append": ("append", str),
    "--max-ram-below-4g": ("max_ram_below_4g", str), "--serial": ("serial", str),
    "--kernel-entry": ("kernel_entry", int), "--smp": ("smp", str),
    "--engine": ("engine", str), "--accel": ("engine", str),
    "--bios": ("bios", Path), "--kernel": ("kernel", Path),
    "--cdrom": ("cdrom", Path), "--vga": ("vga", str), "--screenshot": ("screenshot", Path),
    "--initrd": ("initrd", Path), "--save": ("save", Path), "--restore": ("restore", Path),
}  # fmt: skip
_LISTS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "--device": ("device", str), "--object": ("object_", str), "--numa": ("numa", str),
    "--option-rom": ("option_rom", Path), "--trace": ("trace", str),
    "--stop-at": ("stop_at", str), "--drive": ("drive", str), "--disk": ("disk", Path),
}  # fmt: skip
"""Options by how their values are read. Those that are not here have a help of their own, or begin
a run in which the time of a start is nothing."""

PLAIN: Final = PlainForm(_FLAGS, _VALUES, _LISTS)
"""Lines that are plainly right."""


def plainly_read(words: Sequence[str]) -> BootOptions | None:
    """Return what the words behind ``boot`` ask for; None where that takes more than a look."""
    read = plain_words(PLAIN, words)
    return BootOptions(given=read.spelled, **read.found) if read is not None else None
