"""What those who manage machines ask of any QEMU, whether or not the machine has such a thing.

This one has no I/O threads and no jobs: it says so with empty lists. What is to be set is taken
where it is as it would be set already, and refused else.
"""

from __future__ import annotations

from typing import Any, Final

from guestmap.base import UnsupportedError
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.monitor.commands.cpus import CPU_TYPE
from guestmap.qmp import BOOL, EMPTY, STR, Array, Command, Enum, Member, Struct

_DONE: Final = {"reboot": "reset"}
"""What follows here what a guest does; no guest panics or bites, as nothing would tell of it."""


def _nothing(_context: Context, _arguments: Arguments) -> list[Any]:
    return []


def _set_action(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Set what follows what a guest does.

    Raises:
        UnsupportedError: it would be something else than what follows here.
    """
    for event, does in _DONE.items():
        if arguments.get(event, does) != does:
            raise UnsupportedError(
                f"set-action {event}={arguments[event]} is not modelled: it is {does}"
            )
    if "shutdown" in arguments:
        context.vm.stays_off = arguments["shutdown"] == "pause"
    return {}


def _query_cpu_definitions(_context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [
        {
            "name": CPU_TYPE.removesuffix("-x86_64-cpu"),
            "typename": CPU_TYPE,
            "unavailable-features": [],
            "static": False,
            "migration-safe": True,
            "deprecated": False,
        }
    ]


_ACTIONS = Struct(
    "set-action-arg",
    tuple(
        Member(name, Enum(f"{name.capitalize()}Action", words), optional=True)
        for name, words in (
            ("reboot", ("reset", "shutdown")),
            ("shutdown", ("poweroff", "pause")),
            ("panic", ("pause", "shutdown", "exit-failure", "none")),
            ("watchdog", ("reset", "shutdown", "poweroff", "pause", "debug", "none", "inject-nmi")),
        )
    ),
)
_PARAMETER = Struct(
    "CommandLineParameterInfo",
    (
        Member("name", STR),
        Member("type", Enum("CommandLineParameterType", ("string", "boolean", "number", "size"))),
        Member("help", STR, optional=True),
        Member("default", STR, optional=True),
    ),
)
_OPTION = Struct(
    "CommandLineOptionInfo", (Member("option", STR), Member("parameters", Array(_PARAMETER)))
)
_CPU = Struct(
    "CpuDefinitionInfo",
    (
        Member("name", STR),
        Member("migration-safe", BOOL, optional=True),
        Member("static", BOOL),
        Member("unavailable-features", Array(STR), optional=True),
        Member("typename", STR),
        Member("alias-of", STR, optional=True),
        Member("deprecated", BOOL),
    ),
)
_NONE = Array(EMPTY)
"""What there is none of: what one would be is not told."""


def _question(name: str, returns: Array, run: Any = _nothing, *members: Member) -> MonitorCommand:
    arguments = Struct(f"{name}-arg", members) if members else None
    return MonitorCommand(Command(name, arguments, returns), run, Need.NOTHING)


COMMANDS = (
    _question("query-iothreads", _NONE),
    _question("query-fdsets", _NONE),
    _question("query-jobs", _NONE),
    _question(
        "query-command-line-options", Array(_OPTION), _nothing, Member("option", STR, optional=True)
    ),
    _question("query-cpu-definitions", Array(_CPU), _query_cpu_definitions),
    MonitorCommand(Command("set-action", _ACTIONS, allow_preconfig=True), _set_action),
)
