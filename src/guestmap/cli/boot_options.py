"""What ``guestmap boot`` was asked for, and its reading where nothing of it needs a library.

The library of the command line takes longer to import than the firmware to run. So a line that is
plainly right (each word a known option, spelled out, each value of its kind) is read here;
:func:`plainly_read` returns None for any other, and :mod:`guestmap.cli.boot` reads it: what is
wrong with a line, and help, are told in one place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Final

from guestmap.base.dataclass import dataclass
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
    numa: tuple[str, ...] = ()
    option_rom: tuple[Path, ...] = ()
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


def _board(text: str) -> str:
    if text.endswith(("help", "?")):
        raise ValueError("asks for help")
    return text


FLAGS: Final = {
    "--no-reboot": "no_reboot", "--mtree": "mtree", "--flat": "flat", "--json": "as_json",
    "--quiet": "quiet", "-q": "quiet", "--verbose": "verbose", "-v": "verbose",
}  # fmt: skip
VALUES: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "-M": ("machine", _board), "--machine": ("machine", _board),
    "-m": ("ram", str), "--until": ("until", Phase), "--append": ("append", str),
    "--max-ram-below-4g": ("max_ram_below_4g", str), "--serial": ("serial", str),
    "--kernel-entry": ("kernel_entry", int),
    "--engine": ("engine", str), "--accel": ("engine", str),
    "--bios": ("bios", Path), "--kernel": ("kernel", Path),
    "--initrd": ("initrd", Path), "--save": ("save", Path), "--restore": ("restore", Path),
}  # fmt: skip
LISTS: Final[Mapping[str, tuple[str, Callable[[str], Any]]]] = {
    "--device": ("device", str), "--object": ("object_", str), "--numa": ("numa", str),
    "--option-rom": ("option_rom", Path), "--trace": ("trace", str),
    "--stop-at": ("stop_at", str),
}  # fmt: skip
"""Options by how their values are read. Those that are not here have a help of their own, or begin
a run in which the time of a start is nothing."""


def plainly_read(words: Sequence[str]) -> BootOptions | None:
    """Return what the words behind ``boot`` ask for; None where that takes more than a look."""
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    left = iter(words)
    for word in left:
        if word in FLAGS:
            name = FLAGS[word]
            found[name] = True
        elif word in VALUES:
            name, kind = VALUES[word]
            if (value := _value(left, kind)) is None:
                return None
            found[name] = value
        elif word in LISTS:
            name, kind = LISTS[word]
            if (value := _value(left, kind)) is None:
                return None
            found[name] = (*found.get(name, ()), value)
        else:
            return None
        spelled.setdefault(name, word)
    return BootOptions(given=spelled, **found)


def _value(left: Iterator[str], kind: Callable[[str], Any]) -> Any:
    """Return the value that comes next; None where there is none that is plainly one."""
    text = next(left, "")
    if not text or text.startswith("-"):
        return None
    try:
        return kind(text)
    except ValueError:
        return None
