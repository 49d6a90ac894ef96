"""From what the user says of a drive to what its data is on."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    readonly = spec.is_readonly or spec.snapshot
    medium = _open(spec.file, spec.format, readonly=readonly)
    return Overlay(medium) if spec.snapshot and not spec.is_readonly else medium


def _open(file: Path, format_: str, *, readonly: bool) -> Medium:
    if format_ == "raw":
        return RawFile(file, readonly=readonly)
    from guestmap.machine.media.image import Image

    return Image(file, format_, readonly=readonly)
