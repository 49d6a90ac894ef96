"""The drives that ``--drive``, ``--disk`` and ``--cdrom`` ask for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from guestmap.machine.options.drive import DriveSpec, cdrom, placed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class DriveOptions(Protocol):
    """What stands on the command line."""

    @property
    def drive(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def disk(self) -> Sequence[Path]: ...  # noqa: D102
    @property
    def cdrom(self) -> Path | None: ...  # noqa: D102


def drives_asked(options: DriveOptions) -> tuple[DriveSpec, ...]:
    """Return the drives that are asked for, each at its place.

    Raises:
        ConfigError, UnsupportedError: they cannot be.
    """
    if not (options.drive or options.disk or options.cdrom):
        return ()
    drives = [DriveSpec.parse(each) for each in options.drive]
    drives += [DriveSpec(each) for each in options.disk]
    return placed(([] if options.cdrom is None else [cdrom(options.cdrom)]) + drives)
