"""``info roms``: the images that the machine is given, as QEMU tells of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.fw_cfg import FwCfg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.machine.board import Board
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext

_OPTION_ROMS = "genroms/"
_FIRMWARE = "pc.bios"


def info_roms(context: HmpContext, _values: Values) -> str:
    """Show option ROMs, which firmware reads from fw_cfg, then the firmware itself."""
    board = context.board
    return "".join(f"{line}\n" for line in (*_option_roms(board), *_firmware(board)))


def _option_roms(board: Board) -> Iterator[str]:
    for block in board.register_blocks.values():
        if isinstance(block, FwCfg):
            for name, key in block.files.items():
                if name.startswith(_OPTION_ROMS):
                    size = len(block.item(key) or b"")
                    yield f'fw={name} size=0x{size:06x} name="{name.removeprefix(_OPTION_ROMS)}"'


def _firmware(board: Board) -> Iterator[str]:
    shown = [each for each in board.memory.view if each.region.name == _FIRMWARE]
    if board.firmware_path is None or not shown:
        return
    last = shown[-1]  # at the end of 4 GiB; what is below 1 MiB shows the same once more
    address = last.start - last.offset_in_region
    kind = "rom" if last.readonly else "ram"
    size = last.region.size
    yield f'addr={address:016x} size=0x{size:06x} mem={kind} name="{board.firmware_path.name}"'
