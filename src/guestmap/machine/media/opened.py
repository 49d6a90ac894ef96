"""From what the user says of a drive to what its data is on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from guestmap.base import UnsupportedError
from guestmap.machine.media.facts import backing_file
from guestmap.machine.media.overlay import Overlay
from guestmap.machine.media.raw_file import RawFile

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.hw.medium import Medium
    from guestmap.machine.options.drive import DriveSpec


def open_medium(spec: DriveSpec) -> Medium | None:
    """Open what a drive has; None for a drive without a medium.

    Raises:
        ConfigError: somebody else has it, or it is no image.
        HostError: the host does not let it be opened.
        UnsupportedError: an image that nobody here can read.
    """
    if spec.file is None:
        return None
    _check_backing(spec.file, spec.backing)
    readonly = spec.is_readonly or spec.snapshot
    medium = _open(spec.file, spec.format, readonly=readonly)
    return Overlay(medium) if spec.snapshot and not spec.is_readonly else medium


def _check_backing(file: Path, wanted: str | None) -> None:
    """Check that an image stands on what it is to stand on: who reads it goes by its header."""
    if wanted is None:
        return
    found = backing_file(file)
    if _real(wanted) != _real(found):
        raise UnsupportedError(
            f"{file} stands on {found or 'no other image'} by its header, and is to stand on"
            f" {wanted or 'none'}: that is not modelled: leave 'backing' out"
        )


def _real(name: str | Path | None) -> str:
    return os.path.realpath(name) if name else ""


def _open(file: Path, format_: str, *, readonly: bool) -> Medium:
    if format_ == "raw":
        return RawFile(file, readonly=readonly)
    from guestmap.machine.media.image import Image

    return Image(file, format_, readonly=readonly)
