"""``savevm``, ``loadvm``, ``delvm``, ``info snapshots``: saved machines by name, in QEMU's words.

QEMU keeps them in disk images; here they are files in a folder, which whoever starts the machine
names. Without one, the answers are those of QEMU without such an image.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from guestmap.machine.saved.snapshots import SnapshotInfo, Snapshots
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_NOWHERE = "no block device can store vmstate for snapshot"
_NONE = "There is no snapshot available.\n"
_HEAD = "List of snapshots present on all disks:\n"
_KIB = 1024
_UNITS = ("", "Ki", "Mi", "Gi", "Ti")
_NS_PER_MS = 1_000_000


def savevm(context: HmpContext, values: Values) -> str:
    """Save the machine, which goes on."""
    _folder(context).save(context.vm, str(values.get("tag") or ""))
    return ""


def loadvm(context: HmpContext, values: Values) -> str:
    """Make the machine one that was saved."""
    _folder(context).load(context.vm, str(values["tag"]))
    return ""


def delvm(context: HmpContext, values: Values) -> str:
    """Remove a saved machine."""
    if context.vm.snapshots is not None:
        context.vm.snapshots.delete(str(values["tag"]))
    return ""


def info_snapshots(context: HmpContext, _values: Values) -> str:
    """List the saved machines."""
    folder = context.vm.snapshots
    if folder is None:
        return f"{_NOWHERE}\n"
    lines = [_line(each) for each in folder]
    if not lines:
        return _NONE
    return _HEAD + _row("ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT") + "".join(lines)


def _folder(context: HmpContext) -> Snapshots:
    if context.vm.snapshots is None:
        raise ConfigError(_NOWHERE)
    return context.vm.snapshots


def _row(identity: str, tag: str, size: str, date: str, clock: str, icount: str) -> str:
    return f"{identity:<9} {tag:<16} {size:>8}{date:>20}{clock:>13}{icount:>11}\n"


def _line(each: SnapshotInfo) -> str:
    date = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(each.taken_ns // 10**9))
    ms = each.time_ns // _NS_PER_MS
    clock = f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
    return _row("--", each.name, _size(each.size), date, clock, "")


def _size(size: int) -> str:
    """Return three digits and a unit, as QEMU writes a size."""
    value, unit = float(size), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / _KIB, unit + 1
    return f"{value:.3g} {_UNITS[unit]}B"
