"""What makes and removes objects and devices, and what is told of it."""

from __future__ import annotations

from typing import Any

from guestmap.base import ConfigError
from guestmap.machine.options.object_schema import OBJECT_OPTIONS
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.monitor.rate import PREALLOC_PROGRESS
from guestmap.qmp import (
    INT,
    STR,
    Command,
    EventType,
    Member,
    Struct,
)
from guestmap.qom import option_text

_DEVICE = (Member("device", STR, optional=True), Member("path", STR))

EVENTS = (
    EventType("DEVICE_DELETED", Struct("DEVICE_DELETED-arg", _DEVICE)),
    EventType("DEVICE_UNPLUG_GUEST_ERROR", Struct("DEVICE_UNPLUG_GUEST_ERROR-arg", _DEVICE)),
    EventType(
        "MEM_UNPLUG_ERROR",
        Struct("MEM_UNPLUG_ERROR-arg", (Member("device", STR), Member("msg", STR))),
        features=("deprecated",),
    ),
    EventType(
        PREALLOC_PROGRESS,
        Struct(
            f"{PREALLOC_PROGRESS}-arg",
            (Member("id", STR), Member("done", INT), Member("total", INT)),
        ),
    ),
)


def _object_add_need(arguments: Arguments) -> Need:
    """Memory may have to be allocated page by page, and a file's host may be slow."""
    quick = arguments["qom-type"] != "memory-backend-file" and not arguments.get("prealloc")
    return Need.MACHINE if quick else Need.LONG


def _object_add(context: Context, arguments: Arguments) -> dict[str, Any]:
    properties = dict(arguments)
    kind, name = properties.pop("qom-type"), properties.pop("id")
    context.vm.board.manage.object_add(kind, name, properties)
    return {}


def _object_del(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.vm.board.manage.object_del(arguments["id"])
    return {}


def _device_add(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Add a device; QEMU reads every value as a text, and an id that is none as no id."""
    properties = dict(arguments)
    driver, name = option_text(properties.pop("driver", None)), properties.pop("id", None)
    if driver is None:
        raise ConfigError("Parameter 'driver' is missing")
    name = name if isinstance(name, str) else None
    context.vm.board.manage.device_add(driver, name, properties)
    return {}


def _device_del(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.vm.board.manage.device_del(arguments["id"])
    return {}


def _by_id(command: str) -> Struct:
    return Struct(f"{command}-arg", (Member("id", STR),))


_DEVICE_ADD = Struct(
    "device_add-arg",
    (Member("driver", STR), Member("bus", STR, optional=True), Member("id", STR, optional=True)),
)

COMMANDS = (
    MonitorCommand(Command("object-add", OBJECT_OPTIONS), _object_add, _object_add_need),
    MonitorCommand(Command("object-del", _by_id("object-del")), _object_del),
    MonitorCommand(
        Command("device_add", _DEVICE_ADD, gen=False, features=("json-cli", "json-cli-hotplug")),
        _device_add,
    ),
    MonitorCommand(Command("device_del", _by_id("device_del")), _device_del),
)
