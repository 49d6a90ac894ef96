"""The drives of a PC: each with its medium, at its place on a channel; and what is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.fdc import FloppyDrive
from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.unit import IdeUnit
from guestmap.machine.drives import DriveBay
from guestmap.machine.media import open_medium
from guestmap.machine.ram import blamed_on

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from guestmap.hw.fdc import Fdc
    from guestmap.hw.ide.channel import IdeChannel
    from guestmap.hw.medium import Medium
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.options.drive import DriveSpec
    from guestmap.machine.tree import DeviceObject


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
                floppy.attach(FloppyDrive(spec.index or 0, medium, {"drive": spec.name}))
                continue
        bus, number = divmod(spec.index or 0, 2)
        channels[bus].attach(_drive(spec, medium, number, channels[bus].serial(number)))


def _drive(spec: DriveSpec, medium: Medium | None, number: int, serial: str) -> IdeUnit:
    settings = {"drive": spec.name, "serial": serial}
    if spec.media == "cdrom" or medium is None:
        return IdeCdrom(medium, number, settings)
    return IdeDisk(medium, number, settings)


def drive_bays(pc: Pc) -> tuple[DriveBay, ...]:
    """Return what a PC has for media, in the order in which QEMU realizes the devices."""
    return tuple(
        _floppy_bay(device) if isinstance(device.hardware, FloppyDrive) else _ide_bay(device)
        for device in pc.tree.devices.values()
        if isinstance(device.hardware, (FloppyDrive, IdeUnit))
    )


def _ide_bay(device: DeviceObject) -> DriveBay:
    unit: IdeUnit = device.hardware
    medium, is_cdrom = getattr(unit, "medium", None), isinstance(unit, IdeCdrom)
    return _bay(
        device,
        medium,
        is_removable=is_cdrom,
        has_tray=is_cdrom,
        is_locked=is_cdrom and unit.state.locked,
        write_cache=is_cdrom or unit.state.write_cache,
    )


def _floppy_bay(device: DeviceObject) -> DriveBay:
    drive: FloppyDrive = device.hardware
    medium = None if drive.disk is None else drive.disk[0]
    return _bay(device, medium, is_removable=True, reports=False)


def _bay(device: DeviceObject, medium: Medium | None, **what: bool) -> DriveBay:
    drive: FloppyDrive | IdeUnit = device.hardware
    return DriveBay(
        str(drive.settings.get("drive", "")),
        device.id or device.path,
        drive.counts,
        size=None if medium is None else medium.size,
        **what,
    )
