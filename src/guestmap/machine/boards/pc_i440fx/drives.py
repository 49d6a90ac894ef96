"""The drives of a PC: each with its medium, at its place on a channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.kind import IDE_CD, IDE_HD
from guestmap.machine.media import open_medium
from guestmap.machine.ram import blamed_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.hw.fdc import Fdc
    from guestmap.hw.ide.channel import IdeChannel
    from guestmap.hw.ide.unit import IdeUnit
    from guestmap.hw.medium import Medium
    from guestmap.machine.options.device import DeviceSpec
    from guestmap.machine.options.drive import DriveSpec

_FUNCTION = "/pci@i0cf8/ide@1,1"
"""The IDE function, by its place."""


def attach_drives(
    specs: Iterable[DriveSpec], channels: Sequence[IdeChannel], floppy: Fdc, media: list[Medium]
) -> None:
    """Open what drives have, and put each at its place.

    Args:
        specs: the drives, each with its place.
        channels: of the machine.
        floppy: its floppy controller.
        media: gets what is opened.

    Raises:
        ConfigError, HostError, UnsupportedError: see :func:`open_medium`.
    """
    for spec in specs:
        if spec.is_named:
            continue
        with blamed_on(f"-drive {spec.name}"):
            medium = open_medium(spec)
            if medium is not None:
                media.append(medium)
            if spec.interface == "floppy":
                if medium is not None:
                    floppy.insert(spec.index or 0, medium)
                continue
        bus, number = divmod(spec.index or 0, 2)
        channels[bus].attach(_drive(spec, medium, number))


def boot_order(devices: Iterable[DeviceSpec]) -> bytes:
    """Return what the firmware is told of the order in which drives are tried: ``bootindex``.

    A line for each, which names it as QEMU does (its ``bootorder`` file), and a zero at the end.
    """
    found = {}
    for spec in devices:
        index = spec.properties.get("bootindex")
        if index is not None and spec.driver in (IDE_HD.name, IDE_CD.name):
            bus, unit = str(spec.properties.get("bus", "ide.0")), spec.properties.get("unit", 0)
            found[int(str(index))] = f"{_FUNCTION}/drive@{bus.removeprefix('ide.')}/disk@{unit}"
    return "\n".join(found[index] for index in sorted(found)).encode() + b"\0" if found else b""


def _drive(spec: DriveSpec, medium: Medium | None, number: int) -> IdeUnit:
    settings = {"drive": spec.name, "serial": f"QM{(spec.index or 0) + 1:05d}"}
    if spec.media == "cdrom" or medium is None:
        return IdeCdrom(medium, number, settings)
    return IdeDisk(medium, number, settings)
