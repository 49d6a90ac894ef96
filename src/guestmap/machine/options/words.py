"""The words of QEMU's command line, read one by one into what they say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.machine.boards import board_names, board_type
from guestmap.machine.options.device import DeviceSpec
from guestmap.machine.options.drive import DriveSpec, cdrom
from guestmap.machine.options.memory import MemoryOption
from guestmap.machine.options.object import ObjectSpec
from guestmap.machine.options.strings import (
    identifier,
    last_values,
    option,
    split_options,
    to_wrapped,
)

if TYPE_CHECKING:
    from uuid import UUID

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", re.ASCII)

_ABOUT_THE_HOST = frozenset({
    "accel", "audiodev", "chardev", "display", "mon", "monitor", "msg", "overcommit", "pidfile",
    "qmp", "qmp-pretty", "qtest", "qtest-log", "rtc", "sandbox", "D", "d",
})  # fmt: skip
"""Options with an argument that change nothing of what is modelled."""
_FLAGS = frozenset({
    "S", "nodefaults", "no-acpi", "no-user-config", "no-shutdown", "no-reboot", "daemonize",
    "enable-kvm",
})  # fmt: skip


@dataclass(slots=True)
class Words:
    """What the words said, option by option."""

    machine: str = "pc"
    properties: dict[str, str] = field(default_factory=dict)
    memory: list[str] = field(default_factory=list)
    numa: list[str] = field(default_factory=list)
    objects: list[ObjectSpec] = field(default_factory=list)
    devices: list[DeviceSpec] = field(default_factory=list)
    roms: list[Path] = field(default_factory=list)
    globals: dict[str, str] = field(default_factory=dict)
    flags: set[str] = field(default_factory=set)
    smp: list[str] = field(default_factory=list)
    drives: list[DriveSpec] = field(default_factory=list)
    blockdevs: list[str] = field(default_factory=list)
    vga: str = ""
    left_out: set[str] = field(default_factory=set)
    bios: Path | None = None
    name: str = ""
    uuid: UUID | None = None

    @classmethod
    def read(cls, words: Sequence[str]) -> Words:
        """Read the words behind the program's name.

        Raises:
            ConfigError: an argument is missing or impossible.
            UnsupportedError: an option that is not modelled.
        """
        read = cls()
        rest = iter(words)
        for word in rest:
            if not word.startswith("-"):
                raise UnsupportedError(f"disk image {word} is not modelled")
            name = word[2:] if word.startswith("--") else word[1:]
            if name in _FLAGS:
                read.flags.add(name)
            elif name in _ABOUT_THE_HOST:
                _argument(word, rest)
            elif name in _TAKE:
                _TAKE[name](read, _argument(word, rest))
            else:
                raise UnsupportedError(f"QEMU option {word} is not modelled")
        return read


def _argument(word: str, rest: Iterator[str]) -> str:
    argument = next(rest, None)
    if argument is None:
        raise ConfigError(f"{word}: requires an argument")
    return argument


def _take_memory(read: Words, text: str) -> None:
    MemoryOption.check(text)
    read.memory.append(text)


def _take_drive(read: Words, text: str) -> None:
    read.drives.append(DriveSpec.parse(text))


def _take_blockdev(read: Words, text: str) -> None:
    read.blockdevs.append(text)


def _take_cdrom(read: Words, text: str) -> None:
    read.drives.append(cdrom(Path(text)))


def _take_vga(read: Words, text: str) -> None:
    read.vga = text


def _leaving_out(option_name: str, device: str) -> Callable[[Words, str], None]:
    """Return what reads an option that may say one thing: that a default device is not there."""

    def take(read: Words, text: str) -> None:
        if text != "none":
            raise UnsupportedError(f"-{option_name} {text} is not modelled: none is")
        read.left_out.add(device)

    return take


def _take_bios(read: Words, text: str) -> None:
    read.bios = Path(text)


def _take_boot(_read: Words, text: str) -> None:
    if any(not item.startswith("strict=") for item in text.split(",")):
        raise UnsupportedError(f"-boot {text}: a boot order is not modelled")


def _take_machine(read: Words, text: str) -> None:
    given = {}
    for index, item in enumerate(text.split(",")):
        key, equals, value = item.partition("=")
        if not equals and index:
            raise ConfigError(f"-machine {text}: Expected '=' after parameter '{key}'")
        given[key if equals else "type"] = value if equals else item
    read.machine = given.pop("type", read.machine)
    if read.machine in board_names():
        board_type(read.machine).check_names(given)
    read.properties |= given


def _take_object(read: Words, text: str) -> None:
    taken = [each for each in read.objects if not each.is_json]
    if not text.startswith("{"):
        with option("object", text):
            _check_id(split_options(text, "qom-type"), [each.id for each in taken], "object")
    spec = ObjectSpec.parse(text)
    identifier(spec.id)
    if any(each.id == spec.id for each in read.objects):
        raise ConfigError(
            f"attempt to add duplicate property '{spec.id}' to object (type 'container')"
        )
    read.objects.append(spec)


def _take_device(read: Words, text: str) -> None:
    taken = [each.id for each in read.devices if not each.is_json]
    if not text.startswith("{"):
        with option("device", text):
            _check_id(split_options(text, "driver"), taken, "device")
    read.devices.append(DeviceSpec.parse(text))


def _check_id(pairs: Sequence[tuple[str, str]], taken: Sequence[str | None], what: str) -> None:
    """Refuse an id that is none, or that an earlier option of the same kind has."""
    given = next((value for key, value in pairs if key == "id"), None)
    if given is not None and identifier(given) in taken:
        raise ConfigError(f"Duplicate ID '{given}' for {what}")


def _take_global(read: Words, text: str) -> None:
    name, equals, value = text.partition("=")
    if not equals or "." not in name:
        raise ConfigError(f"-global {text}: Invalid parameter '{name}'")
    read.globals[name] = value


def _take_rom(read: Words, text: str) -> None:
    with option("option-rom", text):
        values = last_values(split_options(text, "romfile"), ("romfile", "bootindex"))
        if "bootindex" in values:
            to_wrapped("bootindex", values["bootindex"])
        if not values.get("romfile"):
            raise ConfigError("Option ROM file is not specified")
    read.roms.append(Path(values["romfile"]))


def _take_name(read: Words, text: str) -> None:
    with option("name", text):
        known = ("guest", "process", "debug-threads")
        read.name = last_values(split_options(text, "guest"), known).get("guest", "")


def _take_uuid(read: Words, text: str) -> None:
    if _UUID.fullmatch(text) is None:
        raise ConfigError(f"-uuid {text}: failed to parse UUID string: wrong format")
    from uuid import UUID

    read.uuid = UUID(text)


_TAKE: dict[str, Callable[[Words, str], None]] = {
    "M": _take_machine,
    "bios": _take_bios,
    "boot": _take_boot,
    "device": _take_device,
    "global": _take_global,
    "m": _take_memory,
    "machine": _take_machine,
    "name": _take_name,
    "numa": lambda read, text: read.numa.append(text),
    "object": _take_object,
    "option-rom": _take_rom,
    "smp": lambda read, text: read.smp.append(text),
    "uuid": _take_uuid,
    "vga": _take_vga,
    "drive": _take_drive,
    "cdrom": _take_cdrom,
    "blockdev": _take_blockdev,
    "serial": _leaving_out("serial", "serial"),
    "parallel": _leaving_out("parallel", "parallel"),
    "nic": _leaving_out("nic", "nic"),
    "net": _leaving_out("net", "nic"),
}
"""What to do with the argument of an option."""
