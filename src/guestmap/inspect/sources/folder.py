"""A folder that holds a machine's texts, each in a file named by the flags it was asked with."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, PeerError
from guestmap.inspect.text.from_text import MonitorTexts, snapshot_of

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.inspect.map.pci_functions import PciDevices
    from guestmap.inspect.map.snapshot import Snapshot

_NAME = re.compile(r"mtree(?P<flags>(?:-[fdoD])*)\.txt")


def snapshot_of_folder(folder: Path, *, dispatch: bool = False) -> Snapshot:
    """Return the snapshot of a folder: the most telling trees and views that it holds.

    Args:
        folder: with ``mtree.txt``, ``mtree-o-D.txt``, ``mtree-f.txt`` and so on; ``ramblock.txt``
            and ``meta.json`` (its ``qemu_version``) are read where they are.
        dispatch: prefer views with their dispatch trees to views with owners.

    Raises:
        ConfigError: no such file is in it.
        PeerError: a file is malformed; says which and where.
        OSError: a file cannot be read.
    """
    flags = {
        frozenset(match["flags"].replace("-", "")): path
        for path in sorted(folder.iterdir())
        if (match := _NAME.fullmatch(path.name))
    }
    trees = max((each for each in flags if "f" not in each), key=_worth_of_trees, default=None)
    views = max(
        (each for each in flags if "f" in each), key=lambda f: _worth_of_views(f, dispatch),
        default=None,
    )  # fmt: skip
    if trees is None and views is None:
        raise ConfigError(
            f"there is no map in the folder {str(folder)!r}: expected mtree.txt, mtree-f.txt, or"
            " the like with other flags of 'info mtree'"
        )
    ram = folder / "ramblock.txt"
    texts = MonitorTexts(
        trees="" if trees is None else _read(flags[trees]),
        views="" if views is None else _read(flags[views]),
        ram=_read(ram) if ram.is_file() else "",
        complete=True if trees is not None and "D" in trees else None,
    )
    try:
        return snapshot_of(texts, source=str(folder), version=_version(folder / "meta.json"))
    except PeerError as error:
        used = ", ".join(flags[each].name for each in (trees, views) if each is not None)
        raise PeerError(f"{folder} ({used}): {error}") from error


def pci_of_folder(folder: Path) -> PciDevices:
    """Return the PCI functions that a folder's ``info-pci.txt`` tells of.

    Raises:
        ConfigError: there is no such file in it.
        PeerError: it is malformed; says where.
        OSError: it cannot be read.
    """
    path = folder / "info-pci.txt"
    if not path.is_file():
        raise ConfigError(
            f"there is no info-pci.txt in the folder {str(folder)!r}: the output of 'info pci'"
        )
    from guestmap.inspect.text.info_pci import read_info_pci  # who reads a map does without

    version = _version(folder / "meta.json")
    try:
        return read_info_pci(_read(path), source=str(folder), version=version)
    except PeerError as error:
        raise PeerError(f"{path}: {error}") from error


def _worth_of_trees(flags: frozenset[str]) -> tuple[bool, bool]:
    return "D" in flags, "o" in flags


def _worth_of_views(flags: frozenset[str], dispatch: bool) -> tuple[bool, bool]:
    return "d" in flags if dispatch else "o" in flags, "o" in flags


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8-sig", "replace")


def _version(meta: Path) -> str:
    """Return QEMU's version as ``query-version`` gave it; "" where that is not on file."""
    try:
        form: Any = json.loads(_read(meta))
        numbers = form["qemu_version"]["qemu"]
        return f"{numbers['major']}.{numbers['minor']}.{numbers['micro']}"
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return ""
