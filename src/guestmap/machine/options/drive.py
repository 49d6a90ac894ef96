"""``-drive``: what a machine's disks, CD-ROMs and floppies are, in QEMU's syntax."""

from __future__ import annotations

from pathlib import Path

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.machine.options.strings import (
    last_values,
    option,
    split_options,
    to_bool,
    to_unsigned,
)

_INTERFACES = ("ide", "floppy", "none")
_FORMATS = ("raw", "qcow2")
_MEDIA = ("disk", "cdrom")
_CACHES = ("writeback", "none")
_IDE_PLACES = 4
_CDROM_PLACE = 2


@dataclass(frozen=True, slots=True)
class DriveSpec:
    """A drive, and what is in it.

    Attributes:
        file: the image; None for a drive without a medium.
        interface: what it hangs on: ide, floppy, or none, where a device names it.
        media: disk or cdrom.
        format: raw or qcow2.
        snapshot: whether writes are kept aside, and the file is never written.
        readonly: whether the guest's writes are refused.
        index: its place: on IDE 2 times the channel, and 1 for the second device.
        id: the user's name for it.
        driver: of a block node (``-blockdev``): file, host_device, raw or qcow2; "" for a drive.
        below: of a block node: the name of the node of the file whose content it is; "" where it
            is that of the file, or that has no name.
        backing: of a block node: the file that its image stands on, "" for none; None where the
            image itself says that.
    """

    file: Path | None = None
    interface: str = "ide"
    media: str = "disk"
    format: str = "raw"
    snapshot: bool = False
    readonly: bool = False
    index: int | None = None
    id: str = ""
    driver: str = ""
    below: str = ""
    backing: str | None = None

    @property
    def is_readonly(self) -> bool:
        """Whether nothing of it is to be written."""
        return self.readonly or self.media == "cdrom"

    @property
    def is_named(self) -> bool:
        """Whether a device has to name it to get it."""
        return self.interface == "none"

    @property
    def name(self) -> str:
        """What it is called: by its user, or by its place."""
        if self.id:
            return self.id
        index = self.index or 0
        if self.interface == "floppy":
            return f"floppy{index}"
        return f"ide{index // 2}-{'cd' if self.media == 'cdrom' else 'hd'}{index % 2}"

    @classmethod
    def parse(cls, text: str) -> DriveSpec:
        """Read the argument of ``-drive``.

        Raises:
            ConfigError: a value that is none; QEMU's words where it has any.
            UnsupportedError: a property or a value that is not modelled.
        """
        with option("drive", text):
            return cls._of(last_values(split_options(text)))

    @classmethod
    def _of(cls, values: dict[str, str]) -> DriveSpec:
        file = values.pop("file", "")
        interface = _one_of(values.pop("if", "ide"), "if", _INTERFACES)
        media = _one_of(values.pop("media", "disk"), "media", _MEDIA)
        format_ = _one_of(values.pop("format", "raw"), "format", _FORMATS)
        _one_of(values.pop("cache", "writeback"), "cache", _CACHES)
        snapshot = to_bool("snapshot", values.pop("snapshot", "off"))
        readonly = to_bool("readonly", values.pop("readonly", values.pop("read-only", "off")))
        index = _place(values, per_bus=2 if interface == "ide" else 0)
        name = values.pop("id", "")
        for key in values:
            raise UnsupportedError(f"property '{key}' is not modelled")
        if interface == "none" and not name:
            raise ConfigError("a drive that a device is to name needs a name: give id=ID")
        if not file and media == "disk" and interface == "ide":
            raise ConfigError("a disk needs a file: give file=FILE")
        return cls(
            Path(file) if file else None, interface, media, format_, snapshot, readonly, index, name
        )


def _one_of(value: str, name: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise UnsupportedError(f"{name}={value} is not modelled: there are {', '.join(known)}")
    return value


def _place(values: dict[str, str], per_bus: int) -> int | None:
    given = {name: to_unsigned(name, values.pop(name), 32) for name in ("index", "bus", "unit")
             if name in values}  # fmt: skip
    if "index" in given:
        if len(given) > 1:
            raise ConfigError("index cannot be used with bus and unit")
        return given["index"]
    return given.get("bus", 0) * per_bus + given.get("unit", 0) if given else None


def placed(drives: list[DriveSpec]) -> tuple[DriveSpec, ...]:
    """Return drives with their places: those that name none get the first that is free.

    Raises:
        ConfigError: two of one name or place, or one too many.
    """
    from dataclasses import replace

    found: list[DriveSpec] = []
    for spec in drives:
        if spec.id and any(each.id == spec.id for each in found):
            raise ConfigError(f"Duplicate ID '{spec.id}' for drive")
        taken = {each.index for each in found if each.interface == spec.interface}
        places = {"ide": _IDE_PLACES, "floppy": 2, "none": 0}[spec.interface]
        if not places:
            found.append(spec)
            continue
        index = spec.index
        if index is None:
            index = next((each for each in range(places) if each not in taken), places)
        if index in taken:
            raise ConfigError(
                f"drive with bus={index // 2}, unit={index % 2} (index={index}) exists"
            )
        if index >= places:
            raise ConfigError(f"there is no place for more than {places} {spec.interface} drives")
        found.append(replace(spec, index=index))
    return tuple(found)


def cdrom(file: Path) -> DriveSpec:
    """Return a CD-ROM drive with a disc, as QEMU's ``-cdrom``: the secondary channel's first."""
    return DriveSpec(file, media="cdrom", index=_CDROM_PLACE)
