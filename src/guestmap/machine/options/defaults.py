"""QEMU's default devices: what a machine has where nobody says ``-nodefaults``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from guestmap.machine.options.drive import placed

if TYPE_CHECKING:
    from guestmap.machine.boards.declare import BoardType
    from guestmap.machine.options.device import DeviceSpec

_INSTEAD: Final[Mapping[str, str]] = {
    "isa-serial": "serial", "isa-parallel": "parallel",
    "isa-fdc": "floppy", "floppy": "floppy", "ide-cd": "ide", "ide-hd": "ide",
    "VGA": "vga", "cirrus-vga": "vga",
}  # fmt: skip
"""Drivers that a user names, and which default they take the place of (QEMU, softmmu/vl.c)."""


def with_defaults(
    board: BoardType, given: Mapping[str, Any], devices: Iterable[DeviceSpec] = ()
) -> dict[str, Any]:
    """Return fields of a :class:`MachineConfig`: what was given, and the board's default devices.

    Args:
        board: whose they are.
        given: the fields that somebody set, ``drives`` among them; one that is there counts, a
            drive at a default one's place too.
        devices: what the user named; some stand for a default.
    """
    left = {_INSTEAD[each.driver] for each in devices if each.driver in _INSTEAD}
    fields = {name: value for name, value in board.defaults.items() if name not in left}
    drives = list(given.get("drives", ()))
    taken = {(each.interface, each.index) for each in drives}
    drives += [
        each
        for each in board.default_drives
        if each.interface not in left and (each.interface, each.index) not in taken
    ]
    return {**fields, **given, "drives": placed(drives)}
