"""IDE drives are plugged in that a device of the command line names: ``-device ide-hd,drive=ID``.

They are there from the start, and stay: an IDE channel knows no hot-plug. Refusals and their texts
are QEMU 7.2's (hw/ide/qdev.c), but that a place which is taken is refused there only where none
was named.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from guestmap.base import ConfigError, UnsupportedError
from guestmap.hw.ide.cdrom import IdeCdrom
from guestmap.hw.ide.channel import IdeChannel
from guestmap.hw.ide.disk import IdeDisk
from guestmap.hw.ide.kind import IDE_HD
from guestmap.hw.ide.unit import IdeUnit
from guestmap.machine.media import open_medium
from guestmap.machine.tree import BusObject, DeviceObject

if TYPE_CHECKING:
    from guestmap.hw.medium import Medium
    from guestmap.machine.options.device import DeviceSpec
    from guestmap.machine.options.drive import DriveSpec
    from guestmap.qom import Device

_PLACES: Final = 2
_FUNCTION: Final = "/pci@i0cf8/ide@1,1"
"""The IDE function, by its place."""
_ANYWHERE: Final = 0xFFFF_FFFF
_NEVER: Final = -1
_MODELLED: Final = frozenset({"drive", "unit", "serial", "bootindex"})
_AS_ALWAYS: Final[Mapping[str, object]] = {
    "write-cache": "on", "share-rw": False, "rerror": "report", "werror": "report",
    "logical_block_size": 512, "physical_block_size": 512,
}  # fmt: skip
"""Values of further properties that change nothing here, besides their defaults."""


class IdePlug:
    """Puts drives at their places; their hot-plug handler.

    Args:
        drives: what ``-drive if=none`` described, by id.
        media: of the machine: gets what is opened.
    """

    def __init__(self, drives: Mapping[str, DriveSpec], media: list[Medium]) -> None:
        self._drives = drives
        self._media = media
        self._used: set[str] = set()
        self._boots: dict[int, str] = {}

    def pre_plug(self, device: Device) -> None:
        """Open what the drive has, and put it at its place.

        Raises:
            ConfigError: there is no such drive or place, or one is taken.
            HostError: the file cannot be opened.
            UnsupportedError: a property that is not modelled is not as it always is.
        """
        shown, channel = _object(device), _channel(device)
        is_disk = device.type.name == IDE_HD.name
        _refuse_unmodelled(shown)
        number = _place(channel, shown.values.pop("unit", _ANYWHERE))
        name = str(shown.values.get("drive") or "")
        spec = self._drives.get(name)
        if name and spec is None:
            raise ConfigError(f"Property '{device.type.name}.drive' can't find value '{name}'")
        if name in self._used:
            raise ConfigError(f"Drive '{name}' is already in use by another device")
        if is_disk and (spec is None or spec.file is None):
            raise ConfigError("No drive specified")
        boots = shown.values.get("bootindex", _NEVER)
        if boots in self._boots:
            raise ConfigError(f"The bootindex {boots} has already been used")
        settings: dict[str, Any] = {"drive": name, "serial": channel.serial(number)}
        settings |= {key: value for key, value in shown.values.items() if key in _MODELLED}
        medium = open_medium(spec) if spec is not None else None
        if medium is not None:
            self._media.append(medium)
        made: IdeUnit
        if is_disk and medium is not None:
            made = IdeDisk(medium, number, settings)
        else:
            made = IdeCdrom(medium, number, settings)
        channel.attach(made)
        self._used |= {name} - {""}
        if isinstance(boots, int) and boots > _NEVER:
            self._boots[boots] = f"{_FUNCTION}/drive@{channel.number}/disk@{number}"
        shown.stand_for(made)

    def boot_order(self) -> bytes:
        """Return what the firmware is told of the order in which drives are tried: ``bootindex``.

        A line for each, which names it as QEMU does (its ``bootorder`` file), and a zero at the
        end; nothing where no drive has such a number.
        """
        lines = "\n".join(self._boots[index] for index in sorted(self._boots))
        return lines.encode() + b"\0" if lines else b""

    def undo_pre_plug(self, device: Device) -> None:
        """Take the drive away again."""
        made: IdeUnit = _object(device).hardware
        _channel(device).attach(IdeUnit(made.number))
        medium = getattr(made, "medium", None)
        if medium is not None:
            self._media.remove(medium.base)
            medium.close()
        self._used.discard(str(made.settings.get("drive", "")))
        boots = made.settings.get("bootindex")
        if isinstance(boots, int):
            self._boots.pop(boots, None)

    def plug(self, device: Device) -> None:
        """Nothing is left to be done."""

    def unplug_request(self, device: Device) -> None:
        """Refuse: it stays.

        Raises:
            ConfigError: always.
        """
        raise ConfigError(f"Device '{device.type.name}' does not support hotplugging")

    def unplug(self, device: Device) -> None:
        """Never asked: nothing is let go."""

    def spec(self, device: DeviceObject) -> DeviceSpec:
        """Return what would plug the same drive in again."""
        assert device.spec is not None, "a user wanted it"
        return device.spec


def _object(device: Device) -> DeviceObject:
    assert isinstance(device, DeviceObject), "only drives have this handler"
    return device


def _channel(device: Device) -> IdeChannel:
    bus = device.parent_bus
    assert isinstance(bus, BusObject), "drives sit on a bus"
    channel: IdeChannel = bus.hardware
    return channel


def _place(channel: IdeChannel, unit: object) -> int:
    if unit == _ANYWHERE:
        number = int(channel.units[0].is_there)
    else:
        number = int(str(unit))
    if number >= _PLACES:
        raise ConfigError(f"Can't create IDE unit {number}, bus supports only {_PLACES} units")
    if channel.units[number].is_there:
        raise ConfigError(f"IDE unit {number} is in use")
    return number


def _refuse_unmodelled(shown: DeviceObject) -> None:
    for name, value in shown.values.items():
        prop = shown.find_property(name)
        usual = (prop.default, _AS_ALWAYS.get(name))
        if name not in _MODELLED and value not in usual:
            raise UnsupportedError(
                f"device {shown.type.name}: property {name} is not modelled: leave it out"
            )
