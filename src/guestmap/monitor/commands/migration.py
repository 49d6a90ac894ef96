"""The commands by which a manager saves a machine, and has another become it."""

from __future__ import annotations

from typing import Any, Final

from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.qmp import BOOL, INT, NUMBER, STR, Array, Command, Enum, EventType, Member, Struct

_TOLD: Final = "events"
_COUNTS: Final = (
    "transferred", "remaining", "total", "duplicate", "skipped", "normal", "normal-bytes",
    "dirty-pages-rate", "dirty-sync-count", "postcopy-requests", "page-size", "multifd-bytes",
    "pages-per-second", "precopy-bytes", "downtime-bytes", "postcopy-bytes",
    "dirty-sync-missed-zero-copy",
)  # fmt: skip
_PAGE: Final = 4096


def _getfd(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.migration.name(arguments["fdname"], context.arrived)
    return {}


def _closefd(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.migration.forget(arguments["fdname"])
    return {}


def _migrate(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.migration.send(arguments["uri"])
    return {}


def _migrate_incoming(context: Context, arguments: Arguments) -> dict[str, Any]:
    context.migration.receive(arguments["uri"])
    return {}


def _query_migrate(context: Context, _arguments: Arguments) -> dict[str, Any]:
    """Tell of the last one; nothing of it is left to be sent once it is told of."""
    last = context.migration
    if not last.status:
        return {}
    told: dict[str, Any] = {"status": last.status}
    if last.status in {"active", "completed"}:
        total = last.total
        counts = dict.fromkeys(_COUNTS, 0) | {"total": total, "page-size": _PAGE}
        counts["transferred" if last.status == "completed" else "remaining"] = total
        told |= {"ram": counts | {"mbps": 0}, "total-time": last.milliseconds}
    return told


def _query_capabilities(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [{"capability": _TOLD, "state": context.migration.is_told}]


def _set_capabilities(context: Context, arguments: Arguments) -> dict[str, Any]:
    for each in arguments["capabilities"]:
        context.migration.is_told = each["state"]
    return {}


def _set_parameters(_context: Context, _arguments: Arguments) -> dict[str, Any]:
    """Take a limit of what is sent in a second: a file is written as fast as it can be."""
    return {}


_CAPABILITY = Struct(
    "MigrationCapabilityStatus",
    (Member("capability", Enum("MigrationCapability", (_TOLD,))), Member("state", BOOL)),
)
_STATUS = Enum(
    "MigrationStatus",
    ("none", "setup", "cancelling", "cancelled", "active", "postcopy-active", "postcopy-paused",
     "postcopy-recover", "completed", "failed", "colo", "pre-switchover", "device", "wait-unplug"),
)  # fmt: skip
_STATS = Struct(
    "MigrationStats", (*(Member(name, INT) for name in _COUNTS), Member("mbps", NUMBER))
)
_INFO = Struct(
    "MigrationInfo",
    (
        Member("status", _STATUS, optional=True),
        Member("ram", _STATS, optional=True),
        Member("total-time", INT, optional=True),
    ),
)
_NAME = (Member("fdname", STR),)
_URI = Member("uri", STR)

EVENTS = (EventType("MIGRATION", Struct("MIGRATION-arg", (Member("status", _STATUS),))),)
COMMANDS = (
    MonitorCommand(Command("getfd", Struct("getfd-arg", _NAME)), _getfd, Need.NOTHING),
    MonitorCommand(Command("closefd", Struct("closefd-arg", _NAME)), _closefd, Need.NOTHING),
    MonitorCommand(
        Command(
            "migrate",
            Struct(
                "migrate-arg",
                (
                    _URI,
                    Member("detach", BOOL, optional=True),
                    Member("resume", BOOL, optional=True),
                ),
            ),
        ),
        _migrate,
        Need.LONG,
    ),
    MonitorCommand(
        Command("migrate-incoming", Struct("migrate-incoming-arg", (_URI,))),
        _migrate_incoming,
        Need.LONG,
    ),
    MonitorCommand(Command("query-migrate", None, _INFO), _query_migrate, Need.NOTHING),
    MonitorCommand(
        Command("query-migrate-capabilities", None, Array(_CAPABILITY)),
        _query_capabilities,
        Need.NOTHING,
    ),
    MonitorCommand(
        Command(
            "migrate-set-capabilities",
            Struct("migrate-set-capabilities-arg", (Member("capabilities", Array(_CAPABILITY)),)),
        ),
        _set_capabilities,
        Need.NOTHING,
    ),
    MonitorCommand(
        Command(
            "migrate-set-parameters",
            Struct("MigrateSetParameters", (Member("max-bandwidth", INT, optional=True),)),
        ),
        _set_parameters,
        Need.NOTHING,
    ),
)
