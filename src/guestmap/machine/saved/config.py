"""A machine's configuration as values that go into a file, and back."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_type_hints
from uuid import UUID

import msgspec

from guestmap.base import ConfigError, HostError, parse_size
from guestmap.machine.config import DeviceSpec, DriveSpec, MachineConfig, ObjectSpec

_BLOCK = 1 << 20


class _Device(msgspec.Struct, forbid_unknown_fields=True):
    driver: str
    properties: dict[str, Any]
    is_json: bool
    came_later: bool
    number: int | None = None
    bus_number: int | None = None


class _Object(msgspec.Struct, forbid_unknown_fields=True):
    qom_type: str
    id: str
    properties: dict[str, Any]
    is_json: bool


_SHOWN = frozenset({"size", "x-use-canonical-path-for-ramblock-id"})
"""What a map, and the names in it, have of a back-end's properties."""
_ON = ("on", "yes", "true", "y")
_FILES = frozenset({"mem-path", "file"})
"""Properties of objects that name a file: back-ends' and secrets'."""

_DEVICE = _Device.__struct_fields__
_SPECS: dict[str, Any] = {"devices": list[_Device], "objects": list[_Object]}
"""Fields whose JSON values are read as they are: their types have no end."""

_HINTS = get_type_hints(MachineConfig, localns={"UUID": UUID})

SavedConfig = msgspec.defstruct(
    "SavedConfig",
    [(each.name, _SPECS.get(each.name, _HINTS[each.name])) for each in fields(MachineConfig)],
    forbid_unknown_fields=True,
)
"""The fields of :class:`MachineConfig`."""


def to_saved(config: MachineConfig) -> Any:
    """Return a configuration as it is saved."""
    values = {name: getattr(config, name) for name in _HINTS}
    values["devices"] = [_Device(*(getattr(x, name) for name in _DEVICE)) for x in config.devices]
    values["objects"] = [_Object(x.qom_type, x.id, x.properties, x.is_json) for x in config.objects]
    return SavedConfig(**values)


def from_saved(saved: Any) -> MachineConfig:
    """Return the configuration that was saved.

    Raises:
        ConfigError, UnsupportedError: no machine can be so.
    """
    values = {name: getattr(saved, name) for name in _HINTS}
    values["devices"] = tuple(DeviceSpec(**msgspec.structs.asdict(x)) for x in saved.devices)
    values["objects"] = tuple(
        ObjectSpec(x.qom_type, x.id, x.properties, x.is_json) for x in saved.objects
    )
    return MachineConfig(**values)


def with_absolute_names(config: MachineConfig) -> MachineConfig:
    """Return a configuration that means the same in any folder."""
    return replace(
        config,
        bios=_absolute(config.bios),
        kernel=_absolute(config.kernel),
        initrd=_absolute(config.initrd),
        option_roms=tuple(each.absolute() for each in config.option_roms),
        drives=tuple(map(_absolute_drive, config.drives)),
        objects=tuple(replace(x, properties=_absolute_names(x.properties)) for x in config.objects),
    )


def _absolute(path: Path | None) -> Path | None:
    return None if path is None else path.absolute()


def _absolute_drive(drive: DriveSpec) -> DriveSpec:
    backing = drive.backing and str(Path(drive.backing).absolute())  # None and "" stay
    return replace(drive, file=_absolute(drive.file), backing=backing)


def _absolute_names(properties: dict[str, Any]) -> dict[str, Any]:
    found = {name: str(Path(properties[name]).absolute()) for name in _FILES & properties.keys()}
    return properties | found


def to_look_at(config: MachineConfig) -> MachineConfig:
    """Return a machine with the same map that touches nothing of the host's.

    Memory that was a file's, shared or put aside beforehand is memory of this process: files that
    a saved machine names are neither made nor written to. One for reading stays what it is, ROM.
    Images of drives are opened for reading.
    """
    objects = tuple(each if _is_for_reading(each) else _of_no_file(each) for each in config.objects)
    return replace(config, objects=objects, drives=tuple(map(_only_read, config.drives)))


def _only_read(drive: DriveSpec) -> DriveSpec:
    return drive if drive.snapshot else replace(drive, readonly=True)


def _is_for_reading(backend: ObjectSpec) -> bool:
    return backend.properties.get("readonly") in (True, *_ON)


def _of_no_file(spec: ObjectSpec) -> ObjectSpec:
    if not spec.qom_type.startswith("memory-backend-"):
        return spec
    kept = {name: value for name, value in spec.properties.items() if name in _SHOWN}
    return replace(spec, qom_type="memory-backend-ram", properties=kept)


def memory_of(config: MachineConfig) -> int:
    """Return how many bytes of RAM a machine takes of the host: its own, and its back-ends'.

    RAM that is made of back-ends counts once.

    Raises:
        ConfigError: a size is none.
    """
    sizes = (each.properties.get("size", 0) for each in config.objects)
    backends = sum(s if isinstance(s, int) else parse_size(str(s), what="size") for s in sizes)
    is_made_of_them = config.memory_backend or any(each.memdev for each in config.numa_nodes)
    return backends if is_made_of_them else config.ram_size + backends


def files_of(config: MachineConfig, firmware: Path | None) -> Iterator[Path]:
    """Yield the files that a machine is made from.

    Args:
        config: the machine.
        firmware: its firmware's image.
    """
    named = (firmware, config.kernel, config.initrd, *config.option_roms)
    yield from (each for each in named if each is not None)


def digest_of(path: Path) -> bytes:
    """Return the checksum of a file's content.

    Raises:
        HostError: it cannot be read.
    """
    digest = hashlib.blake2b(digest_size=32)
    if path.exists() and not (path.is_file() or path.is_dir()):  # a device may have no end
        raise HostError(f"cannot read {path} (no regular file)", call="open")
    try:
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
    except OSError as error:
        raise HostError(f"cannot read {path} ({error.strerror})", call="read") from error
    return digest.digest()


def check_covered(config: MachineConfig, files: Collection[Path]) -> None:
    """Check that of each file that a machine is made from a checksum was saved.

    Raises:
        ConfigError: of one there is none.
    """
    for path in files_of(config, None):
        if path not in files:
            raise ConfigError(f"there is no checksum of {path}, which the machine is made from")


def check_files(files: Iterable[tuple[Path, bytes]]) -> None:
    """Check that the files are still those that the machine was made from.

    Raises:
        ConfigError: one is another one.
        HostError: one cannot be read.
    """
    for path, digest in files:
        if digest_of(path) != digest:
            raise ConfigError(
                f"{path} is not what the machine was saved with: put that file back, and try again"
            )
