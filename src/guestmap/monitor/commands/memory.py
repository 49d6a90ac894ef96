"""Memory: what is plugged, what is behind it, and its content into a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from guestmap.base import ADDRESS_SPACE_SIZE, MIB, ConfigError, HostError
from guestmap.machine.options.object_schema import HOST_MEM_POLICY
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.monitor.linear import LinearReader
from guestmap.qmp import (
    BOOL,
    INT,
    SIZE,
    STR,
    UINT16,
    Array,
    Command,
    Enum,
    EventType,
    Member,
    Struct,
    Union,
)

_PIECE = MIB
_PAGE = 4096


def _memory_devices(context: Context, _arguments: Arguments) -> list[Any]:
    return context.vm.board.manage.memory_devices()


def _memory_size_summary(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return context.vm.board.manage.memory_size_summary()


def _memdev(context: Context, _arguments: Arguments) -> list[Any]:
    return context.vm.board.manage.memory_backends()


def _acpi_ospm_status(context: Context, _arguments: Arguments) -> list[Any]:
    return context.vm.board.manage.acpi_ospm_status()


def _pmemsave(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Write guest-physical memory to a file; what nobody answers reads as its bus does."""
    address, left = arguments["val"] % ADDRESS_SPACE_SIZE, _size(arguments)
    with _saving(arguments["filename"]) as file:
        while left:
            length = min(left, _PIECE)
            file.write(context.vm.board.memory.read(address, length))
            address, left = (address + length) % ADDRESS_SPACE_SIZE, left - length
    return {}


def _memsave(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Write guest-virtual memory to a file, as the first CPU's page tables show it now."""
    start, size = arguments["val"] % ADDRESS_SPACE_SIZE, _size(arguments)
    context.check_cpu(arguments.get("cpu-index", 0))
    reader = LinearReader(context.vm.vcpu, context.vm.board.cpu_memory)
    with _saving(arguments["filename"]) as file:
        done = 0
        while done < size:
            length = min(size - done, _PAGE)
            data = reader.read((start + done) % ADDRESS_SPACE_SIZE, length)
            if data is None:
                raise ConfigError(f"Invalid addr 0x{start:016x}/size {size} specified")
            file.write(data)
            done += length
    return {}


def _size(arguments: Arguments) -> int:
    size: int = arguments["size"]
    if size < 0:  # QEMU has no answer to this: it ends
        raise ConfigError(f"Parameter 'size' expects a number of bytes, not {size}")
    return size


@contextmanager
def _saving(name: str) -> Iterator[BinaryIO]:
    """Give a file to write to; what it refuses may be told by its end only."""
    try:
        file = open(name, "wb")  # noqa: SIM115 (closed below)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        raise HostError(
            f"Could not open '{name}'", errno=number, call="open", arguments=name
        ) from error
    try:
        with file:
            yield file
    except OSError as error:
        raise HostError(
            f"writing memory to '{name}' failed", errno=error.errno, call="write", arguments=name
        ) from error


_DIMM = Struct(
    "PCDIMMDeviceInfo",
    (
        Member("id", STR, optional=True),
        Member("addr", INT),
        Member("size", INT),
        Member("slot", INT),
        Member("node", INT),
        Member("memdev", STR),
        Member("hotplugged", BOOL),
        Member("hotpluggable", BOOL),
    ),
)
_MEMORY_DEVICE = Union(
    "MemoryDeviceInfo",
    Struct("MemoryDeviceInfo-base", (Member("type", Enum("MemoryDeviceInfoKind", ("dimm",))),)),
    "type",
    (("dimm", Struct("PCDIMMDeviceInfoWrapper", (Member("data", _DIMM),))),),
)
_SIZE_SUMMARY = Struct(
    "MemoryInfo", (Member("base-memory", SIZE), Member("plugged-memory", SIZE, optional=True))
)
_MEMDEV = Struct(
    "Memdev",
    (
        Member("id", STR, optional=True),
        Member("size", SIZE),
        Member("merge", BOOL),
        Member("dump", BOOL),
        Member("prealloc", BOOL),
        Member("share", BOOL),
        Member("reserve", BOOL, optional=True),
        Member("host-nodes", Array(UINT16)),
        Member("policy", HOST_MEM_POLICY),
    ),
)
_OST_INFO = Struct(
    "ACPIOSTInfo",
    (
        Member("device", STR, optional=True),
        Member("slot", STR),
        Member("slot-type", Enum("ACPISlotType", ("DIMM", "CPU"))),
        Member("source", INT),
        Member("status", INT),
    ),
)
_SAVED = (Member("val", INT), Member("size", INT), Member("filename", STR))

EVENTS = (
    EventType("ACPI_DEVICE_OST", Struct("ACPI_DEVICE_OST-arg", (Member("info", _OST_INFO),))),
)

COMMANDS = (
    MonitorCommand(Command("query-memory-devices", None, Array(_MEMORY_DEVICE)), _memory_devices),
    MonitorCommand(Command("query-memory-size-summary", None, _SIZE_SUMMARY), _memory_size_summary),
    MonitorCommand(Command("query-memdev", None, Array(_MEMDEV), allow_preconfig=True), _memdev),
    MonitorCommand(Command("query-acpi-ospm-status", None, Array(_OST_INFO)), _acpi_ospm_status),
    MonitorCommand(Command("pmemsave", Struct("pmemsave-arg", _SAVED)), _pmemsave, Need.LONG),
    MonitorCommand(
        Command(
            "memsave", Struct("memsave-arg", (*_SAVED, Member("cpu-index", INT, optional=True)))
        ),
        _memsave,
        Need.LONG,
    ),
)
