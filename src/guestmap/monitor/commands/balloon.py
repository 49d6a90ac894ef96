"""The balloon: how much memory the guest is to have, and how much it has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError
from guestmap.monitor.command import Arguments, Context, MonitorCommand
from guestmap.qmp import INT, Command, ErrorClass, EventType, Member, QmpError, Struct

if TYPE_CHECKING:
    from guestmap.hw.virtio.balloon import VirtioBalloon


def _device(context: Context) -> VirtioBalloon:
    found = context.vm.board.balloon
    if found is None:
        raise QmpError(ErrorClass.DEVICE_NOT_ACTIVE, "No balloon device has been activated")
    return found


def _balloon(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Ask the guest to have so much."""
    device, target = _device(context), arguments["value"]
    if target <= 0:
        raise ConfigError("Parameter 'target' expects a size")
    device.aim(target)
    return {}


def _query(context: Context, _arguments: Arguments) -> dict[str, Any]:
    return {"actual": _device(context).left}


EVENTS = (EventType("BALLOON_CHANGE", Struct("BALLOON_CHANGE-arg", (Member("actual", INT),))),)

COMMANDS = (
    MonitorCommand(Command("balloon", Struct("balloon-arg", (Member("value", INT),))), _balloon),
    MonitorCommand(
        Command("query-balloon", None, Struct("BalloonInfo", (Member("actual", INT),))), _query
    ),
)
