"""Whether the machine runs, and what makes it run, stop, start anew and end."""

from __future__ import annotations

from typing import Any

from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import BOOL, INT, STR, Command, Enum, EventType, Member, Struct

RUN_STATE = Enum(
    "RunState",
    ("debug", "inmigrate", "internal-error", "io-error", "paused", "postmigrate", "prelaunch",
     "finish-migrate", "restore-vm", "running", "save-vm", "shutdown", "suspended", "watchdog",
     "guest-panicked", "colo"),
)  # fmt: skip
"""QEMU's list (qapi/run-state.json); a machine here comes to be in some of them only."""

SHUTDOWN_CAUSE = Enum(
    "ShutdownCause",
    ("none", "host-error", "host-qmp-quit", "host-qmp-system-reset", "host-signal", "host-ui",
     "guest-shutdown", "guest-reset", "guest-panic", "subsystem-reset", "snapshot-load"),
)  # fmt: skip

_CAUSE = (Member("guest", BOOL), Member("reason", SHUTDOWN_CAUSE))

EVENTS = (
    EventType("POWERDOWN"),
    EventType("RESET", Struct("RESET-arg", _CAUSE)),
    EventType("RESUME"),
    EventType("SHUTDOWN", Struct("SHUTDOWN-arg", _CAUSE)),
    EventType("STOP"),
    EventType("SUSPEND"),
    EventType("WAKEUP"),
)


def _query_status(context: Context, _arguments: Arguments) -> dict[str, Any]:
    state = context.vm.status
    return {"status": state, "singlestep": False, "running": state == "running"}


def _stop(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.stop()
    return {}


def _cont(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.cont()
    return {}


def _quit(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.quit()
    return {}


def _system_reset(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.system_reset()
    return {}


def _system_wakeup(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.wake_up()
    return {}


def _query_current_machine(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"wakeup-suspend-support": context.vm.board.can_wake}


def _system_powerdown(context: Context, _arguments: Arguments) -> dict[str, Any]:
    context.vm.powerdown()
    return {}


def _human_need(arguments: Arguments) -> Need:
    """Questions are answered at once; whatever else may take as long as its QMP command."""
    return Need.MACHINE if arguments["command-line"].startswith("info ") else Need.LONG


def _human(context: Context, arguments: Arguments) -> str:
    if "cpu-index" in arguments:
        context.check_cpu(arguments["cpu-index"])
    return context.human(arguments["command-line"])


_STATUS_INFO = Struct(
    "StatusInfo",
    (Member("running", BOOL), Member("singlestep", BOOL), Member("status", RUN_STATE)),
)
_HUMAN = Struct(
    "human-monitor-command-arg",
    (Member("command-line", STR), Member("cpu-index", INT, optional=True)),
)

COMMANDS = (
    MonitorCommand(
        Command("query-status", None, _STATUS_INFO, oob=True), _query_status, Need.NOTHING
    ),
    MonitorCommand(Command("stop"), _stop),
    MonitorCommand(Command("cont"), _cont),
    MonitorCommand(Command("quit", allow_preconfig=True), _quit),
    MonitorCommand(Command("system_reset"), _system_reset),
    MonitorCommand(Command("system_powerdown"), _system_powerdown),
    MonitorCommand(Command("system_wakeup"), _system_wakeup),
    MonitorCommand(
        Command(
            "query-current-machine",
            None,
            Struct("CurrentMachineParams", (Member("wakeup-suspend-support", BOOL),)),
        ),
        _query_current_machine,
        Need.NOTHING,
    ),
    MonitorCommand(Command("human-monitor-command", _HUMAN, STR), _human, _human_need),
)
