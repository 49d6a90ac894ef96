"""What a balloon gets of its machine: the memory, the clock, and whom it tells."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError, GuestmapError
from guestmap.hw.virtio.balloon import PAGE_SHIFT, VirtioBalloon

if TYPE_CHECKING:
    from guestmap.hw.pci import PciFunction
    from guestmap.machine.board import Board

_PAGE = 1 << PAGE_SHIFT


def connect_balloon(function: PciFunction[Any], board: Board) -> None:
    """Give a function that is a balloon what it needs; others need nothing.

    Raises:
        ConfigError: the machine has one already; QEMU's words.
    """
    if not isinstance(function, VirtioBalloon):
        return
    if board.balloon is not None:
        raise ConfigError("Only one balloon device is supported")
    function.memory = board.memory
    function.ram = lambda: _ram(board)
    function.discard = lambda address: _discard(board, address)
    function.on_change = lambda left: board.events.emit("BALLOON_CHANGE", {"actual": left})
    function.on_remove = lambda: setattr(board, "balloon", None)
    function.now_s = lambda: int(time.time())
    board.balloon = function


def _ram(board: Board) -> int:
    """Return the bytes of RAM, with all that is plugged in."""
    summary = board.manage.memory_size_summary()
    return sum(size for size in summary.values() if isinstance(size, int))


def _discard(board: Board, address: int) -> None:
    """Give a page that the guest does not use back to the host, where that may be done."""
    if board.system.discard_rules.disabled:
        return
    found = board.memory.find(address, _PAGE)
    if found is None or not found.region.ram or found.readonly:
        return
    block = found.region.ram_block
    if block is not None:
        with suppress(GuestmapError):  # huge pages, or a host that refuses: the page stays
            block.discard(found.offset_within_region & -_PAGE, _PAGE)
