"""The drives of a machine, and the block nodes behind them, as whoever manages it sees them.

Block nodes are QEMU's: one for the file, and one for the format of what is in it, by the names that
``-blockdev`` gives. Those of ``-drive`` have none that a user chose; they are numbered here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from guestmap.machine.options.blockdev import FILE_DRIVERS

if TYPE_CHECKING:
    from pathlib import Path

    from guestmap.hw.counted import DriveCounts
    from guestmap.machine.board import Board
    from guestmap.machine.options.drive import DriveSpec


class DriveBay(NamedTuple):
    """What a machine has for a medium, whether or not one lies in it.

    Attributes:
        drive: the name of its drive or block node; "" for an empty one that nobody named.
        device: the id of the device, or its path in the object tree.
        counts: what has been asked of the medium.
        is_removable: whether a medium can be changed.
        size: bytes of the medium, as the drive sees it; None without one.
        has_tray: whether that lies in a tray.
        is_locked: whether the guest keeps it from being taken out.
        reports: whether errors of the medium are told of (``io-status``).
        write_cache: whether the guest has the write cache on.
    """

    drive: str
    device: str
    counts: DriveCounts
    is_removable: bool
    size: int | None = None
    has_tray: bool = False
    is_locked: bool = False
    reports: bool = True
    write_cache: bool = True


class BlockNode(NamedTuple):
    """A block node.

    Attributes:
        name: of the node.
        driver: file, host_device, raw or qcow2.
        file: where the content is.
        is_readonly: whether it takes no writes.
        is_snapshot: whether writes are kept aside, and never reach the file.
        storage: the node of the file; None where it is that itself.
    """

    name: str
    driver: str
    file: Path
    is_readonly: bool
    is_snapshot: bool = False
    storage: BlockNode | None = None


class Drive(NamedTuple):
    """A drive.

    Attributes:
        name: what ``-drive`` calls it; "" for a block node that a device names itself.
        node: what lies in it; None for an empty one.
        bay: where it is; None where no device has it.
    """

    name: str
    node: BlockNode | None
    bay: DriveBay | None


def block_nodes(specs: tuple[DriveSpec, ...]) -> dict[str, BlockNode]:
    """Return the nodes of drives by the names of the drives: nodes of files have their own, too.

    They are in the order in which QEMU makes them: those of ``-blockdev`` first.
    """
    found: dict[str, BlockNode] = {}
    for number, spec in sorted(enumerate(specs), key=lambda each: not each[1].driver):
        if spec.file is None:
            continue
        if spec.driver in FILE_DRIVERS:
            found[spec.id] = BlockNode(spec.id, spec.driver, spec.file, spec.readonly)
            continue
        storage = found.get(spec.below)
        if storage is None:
            name = f"#block{2 * number:03}"
            driver = "host_device" if spec.file.is_block_device() else "file"
            storage = found[name] = BlockNode(name, driver, spec.file, spec.is_readonly)
        name = spec.id if spec.driver else f"#block{2 * number + 1:03}"
        found[spec.name] = BlockNode(
            name, spec.format, spec.file, spec.is_readonly, spec.snapshot, storage
        )
    return found


def drives_of(board: Board) -> list[Drive]:
    """Return the drives of a machine: those of ``-drive`` first, then the others as they came."""
    bays = {each.drive or each.device: each for each in board.drive_bays}
    specs = board.config.drives
    nodes = block_nodes(specs)
    named = [each.name for each in specs if not each.driver]
    found = [Drive(name, nodes.get(name), bays.pop(name, None)) for name in named]
    return found + [Drive("", nodes.get(each.drive), each) for each in bays.values()]
