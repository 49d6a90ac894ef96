"""``-blockdev``: drives as two nodes, a file and the format of what is in it.

Only what a drive of :mod:`guestmap.machine.options.drive` can be is understood; ``drive=`` of a
device names the node of the format, or that of the file, whose bytes are the drive's then.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from guestmap.base import ConfigError, UnsupportedError
from guestmap.machine.options.drive import DriveSpec
from guestmap.machine.options.strings import json_object, option

FILE_DRIVERS = frozenset({"file", "host_device"})
"""Drivers whose nodes are files, as they are."""
_FORMATS = frozenset({"raw", "qcow2"})
_STANDING = frozenset({"qcow2"})
"""Formats of images that may stand on others."""
_NO_EFFECT = frozenset({"auto-read-only", "discard", "detect-zeroes", "aio", "locking"})
"""Members that change nothing of what a guest sees."""
_CACHE = frozenset({"direct", "no-flush"})


def read_blockdevs(texts: Iterable[str]) -> tuple[DriveSpec, ...]:
    """Return the drives that the nodes are, by the nodes' names.

    Raises:
        ConfigError: a node without a file, or one of that name is there already.
        UnsupportedError: a driver or a member that is not modelled.
    """
    found: dict[str, DriveSpec] = {}
    for text in texts:
        with option("blockdev", text):
            given = json_object(text) if text.startswith("{") else _nested(text)
            if not _node(given, found).id:
                raise ConfigError("'node-name' must be specified for the root node")
    return tuple(found.values())


def _nested(text: str) -> dict[str, Any]:
    """Return ``a.b=c`` as ``{"a": {"b": "c"}}``."""
    from guestmap.machine.options.keyval import HelpWanted, parse_keyval

    try:
        return parse_keyval(text, "driver")
    except HelpWanted as wanted:
        raise ConfigError("Help is not available for this option") from wanted


def _node(given: dict[str, Any], known: dict[str, DriveSpec]) -> DriveSpec:
    """Return a node, which is known from now on where it has a name."""
    members = {name: value for name, value in given.items() if name not in _NO_EFFECT}
    driver, name = str(members.pop("driver", None)), members.pop("node-name", "")
    readonly = members.pop("read-only", False) in (True, "on")
    cache = members.pop("cache", {})
    if (
        not isinstance(cache, dict)
        or cache.keys() - _CACHE
        or cache.get("no-flush") in (True, "on")
    ):
        raise UnsupportedError(f"cache={cache} is not modelled: leave it out")
    file: Path | None
    below, backing = "", None
    if driver in FILE_DRIVERS:
        file, form = _file(members.pop("filename", "")), "raw"
    elif driver in _FORMATS:
        storage = _below(members.pop("file", None), known)
        file, form, below = storage.file, driver, storage.id
        if driver in _STANDING and "backing" in members:
            backing = _backing(members.pop("backing"), known)
    else:
        there = ", ".join(sorted(FILE_DRIVERS | _FORMATS))
        raise UnsupportedError(f"driver '{driver}' is not modelled: there are {there}")
    for member in members:
        raise UnsupportedError(f"member '{member}' is not modelled")
    spec = DriveSpec(
        file, "none", format=form, readonly=readonly, id=str(name), driver=driver, below=below,
        backing=backing,
    )  # fmt: skip
    if spec.id in known:
        raise ConfigError(f"Duplicate nodes with node-name='{spec.id}'")
    if spec.id:
        known[spec.id] = spec
    return spec


def _file(name: object) -> Path:
    if not isinstance(name, str) or not name:
        raise ConfigError("Parameter 'filename' is missing")
    if "\0" in name:
        raise ConfigError(f"{name!r} is no name of a file")
    return Path(name)


def _below(file: object, known: dict[str, DriveSpec]) -> DriveSpec:
    """Return the node of the file: one that is there, or one that is described in place."""
    if isinstance(file, dict):
        return _node(file, known)
    if not isinstance(file, str) or file not in known:
        raise ConfigError(f"Cannot find device='' nor node-name='{file or ''}'")
    return known[file]


def _backing(given: object, known: dict[str, DriveSpec]) -> str:
    """Return the file of the node that an image stands on; "" for none."""
    return "" if given is None else str(_below(given, known).file)
