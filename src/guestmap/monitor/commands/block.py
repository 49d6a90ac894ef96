"""Drives, what lies in them, and how much was read and written: as QEMU 7.2 tells it."""

from __future__ import annotations

import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from guestmap.hw.counted import DriveCounts, Requests
from guestmap.hw.medium import SECTOR
from guestmap.machine.drives import BlockNode, Drive, block_nodes, drives_of
from guestmap.machine.media.facts import ImageInfo, allocated, images, length_of
from guestmap.machine.options.blockdev import FILE_DRIVERS
from guestmap.monitor.command import Arguments, Context, MonitorCommand, Need
from guestmap.monitor.commands.block_types import BLOCK_INFO, BLOCK_NODE, BLOCK_STATS, LIMITS
from guestmap.qmp import BOOL, Array, Command, Member, Struct

if TYPE_CHECKING:
    from guestmap.machine.media.facts import Qcow2Header

_DEEPEST = 200
"""Images that may stand on each other before one of them is told no more."""


def _query_block(context: Context, _arguments: Arguments) -> list[dict[str, Any]]:
    return [_drive(each) for each in drives_of(context.vm.board)]


def _drive(drive: Drive) -> dict[str, Any]:
    bay = drive.bay
    told: dict[str, Any] = {
        "device": drive.name,
        "type": "unknown",
        "removable": bay is None or bay.is_removable,
        "locked": bay is not None and bay.is_locked,
    }
    if bay is not None:
        told["qdev"] = bay.device
        told |= {"io-status": "ok"} if bay.reports else {}
        told |= {"tray_open": False} if bay.has_tray else {}
    if drive.node is not None:
        size = None if bay is None else bay.size
        told["inserted"] = _node(drive.node, size, write_cache=bay is None or bay.write_cache)
    return told


# -- nodes -----------------------------------------------------------------------------------------


def _query_nodes(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    board = context.vm.board
    sizes: dict[str, int | None] = {}
    for each in drives_of(board):
        if each.node is not None and each.bay is not None:
            sizes[each.node.name] = each.bay.size
            if each.node.storage is not None and each.node.driver == "raw":
                sizes[each.node.storage.name] = each.bay.size  # its bytes are the same ones
    nodes = reversed(block_nodes(board.config.drives).values())
    told = [_node(each, sizes.get(each.name)) for each in nodes]
    if arguments.get("flat"):
        for node in told:
            node["image"].pop("backing-image", None)
    return told


def _node(node: BlockNode, size: int | None, *, write_cache: bool = True) -> dict[str, Any]:
    """Return a node.

    Args:
        node: the node.
        size: bytes of its content, as a drive sees it; None where no drive has it.
        write_cache: whether the guest has the drive's write cache on.
    """
    stack = list(islice(images(node.file, node.driver), _DEEPEST + 1))
    image, backing = _image(stack), stack[0].backing
    if size is not None:
        image["virtual-size"] = size  # the file may have another name by now
    return {
        "file": str(node.file),
        "node-name": node.name,
        "ro": node.is_readonly,
        "drv": node.driver,
        "backing_file_depth": len(stack) - 1,
        "encrypted": False,
        "detect_zeroes": "off",
        **dict.fromkeys(LIMITS, 0),
        "image": image,
        "cache": {"writeback": write_cache, "direct": False, "no-flush": node.is_snapshot},
        "write_threshold": 0,
        **({} if backing is None else {"backing_file": str(backing)}),
    }


def _image(stack: list[ImageInfo]) -> dict[str, Any]:
    """Return the first of images that stand on each other, with those below it inside."""
    told: dict[str, Any] = {}
    for each in reversed(stack):
        below, told = told, _alone(each)
        if below:
            told["backing-image"] = below
    return told


def _alone(image: ImageInfo) -> dict[str, Any]:
    file, header, taken = image.file, image.header, allocated(image.file)
    told: dict[str, Any] = {"filename": str(file), "format": image.format, "dirty-flag": False}
    told |= {} if taken is None else {"actual-size": taken}
    if header is None:
        return told | {"virtual-size": -(-length_of(file) // SECTOR) * SECTOR}
    told |= {
        "virtual-size": header.size,
        "dirty-flag": header.dirty,
        "cluster-size": header.cluster_size,
        "format-specific": {"type": "qcow2", "data": _format(header)},
    }
    if image.backing is not None:
        told |= {"backing-filename": header.backing, "full-backing-filename": str(image.backing)}
    return told


def _format(header: Qcow2Header) -> dict[str, Any]:
    told: dict[str, Any] = {
        "compat": "1.1" if header.is_new else "0.10",
        "refcount-bits": header.refcount_bits,
        "compression-type": header.compression,
    }
    if header.is_new:
        told |= {
            "lazy-refcounts": header.lazy_refcounts,
            "corrupt": header.corrupt,
            "extended-l2": header.extended_l2,
        }
    return told


# -- statistics ------------------------------------------------------------------------------------


def _query_stats(context: Context, arguments: Arguments) -> list[dict[str, Any]]:
    drives = drives_of(context.vm.board)
    if not arguments.get("query-nodes"):
        return [_drive_stats(each) for each in drives]
    highest = {
        each.node.name: each.bay.counts.highest
        for each in drives
        if each.node is not None and each.bay is not None
    }
    nodes = block_nodes(context.vm.board.config.drives).values()
    told = {each.name: _node_stats(each, highest.get(each.name, 0)) for each in nodes}
    for each in nodes:
        if each.storage is not None:
            told[each.storage.name] = told[each.name]["parent"]
    return [*told.values()]


def _drive_stats(drive: Drive) -> dict[str, Any]:
    counts = DriveCounts() if drive.bay is None else drive.bay.counts
    told: dict[str, Any] = {"device": drive.name}
    if drive.bay is not None:
        told["qdev"] = drive.bay.device
    if drive.node is not None:
        told |= _node_stats(drive.node, counts.highest)
    return told | {"stats": _stats(counts, counts.highest, is_drive=True)}


def _node_stats(node: BlockNode, highest: int) -> dict[str, Any]:
    """Return what is told of a node: what passes through nodes is not counted.

    Args:
        node: the node.
        highest: where the last byte was written that a guest sees; of a qcow2's file, whose bytes
            are others, its end stands for that.
    """
    stats = _stats(DriveCounts(), highest, is_drive=False)
    told: dict[str, Any] = {"node-name": node.name, "stats": stats}
    if node.driver in FILE_DRIVERS:
        nothing = {"discard-nb-ok": 0, "discard-nb-failed": 0, "discard-bytes-ok": 0}
        told["driver-specific"] = {"driver": node.driver, **nothing}
    if node.storage is not None:
        is_plain = node.driver == "raw" or not highest
        told["parent"] = _node_stats(node.storage, highest if is_plain else length_of(node.file))
    return told


def _stats(counts: DriveCounts, highest: int, *, is_drive: bool) -> dict[str, Any]:
    sorts = {
        "rd": counts.reads,
        "wr": counts.writes,
        "flush": counts.flushes,
        "unmap": Requests(),
    }
    told: dict[str, Any] = {
        "wr_highest_offset": highest,
        "account_invalid": is_drive,
        "account_failed": is_drive,
        "timed_stats": [],
    }
    if counts.last_ns is not None:
        told["idle_time_ns"] = max(0, time.monotonic_ns() - counts.last_ns)
    for name, sort in sorts.items():
        told |= {
            f"{name}_operations": sort.done,
            f"{name}_total_time_ns": sort.time_ns,
            f"failed_{name}_operations": sort.failed,
            f"invalid_{name}_operations": sort.invalid,
        }
        if sort is not counts.flushes:
            told |= {f"{name}_bytes": sort.size, f"{name}_merged": 0}
    return told


def _question(name: str, member: str, returns: Struct, run: Any) -> MonitorCommand:
    arguments = Struct(f"{name}-arg", (Member(member, BOOL, optional=True),)) if member else None
    return MonitorCommand(Command(name, arguments, Array(returns)), run, Need.NOTHING)


COMMANDS = (
    _question("query-block", "", BLOCK_INFO, _query_block),
    _question("query-named-block-nodes", "flat", BLOCK_NODE, _query_nodes),
    _question("query-blockstats", "query-nodes", BLOCK_STATS, _query_stats),
)
