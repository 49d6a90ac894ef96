"""A machine into a file."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from guestmap import __version__
from guestmap.base import UnsupportedError, whole_file
from guestmap.machine.saved.config import digest_of, files_of, to_saved, with_absolute_names
from guestmap.machine.saved.content import SavedBlock, SavedFile, SavedMachine, SavedPhase
from guestmap.machine.saved.format import SavedWriter
from guestmap.machine.saved.ram import save_block, saved_blocks

if TYPE_CHECKING:
    from guestmap.machine.board import Board
    from guestmap.machine.vm import VirtualMachine


def save(vm: VirtualMachine, path: Path) -> SavedMachine:
    """Save a machine; it is paused, and stays so.

    The file is written aside, and is there when all of it has reached the disk. It holds the
    guest's memory, and what secrets there are: a new one is its owner's alone.

    Args:
        vm: the machine.
        path: the file; one that is there is replaced.

    Returns:
        what was saved, but for the bytes of its memory.

    Raises:
        StateError: the machine is at its end.
        UnsupportedError: something of it cannot be saved.
        HostError: the host refuses; an old file is as it was.
    """
    _refuse_chips(vm)
    with vm.exclusive():
        vm.stand()
        with whole_file(path, "saved", mode=0o600) as file:
            return save_to(vm, file)


def save_to(vm: VirtualMachine, file: BinaryIO) -> SavedMachine:
    """Save a machine to a file that is open, which is only written to; it is paused, and stays so.

    Raises:
        StateError, UnsupportedError: as :func:`save`.
        OSError: the host refuses.
    """
    _refuse_chips(vm)
    with vm.exclusive():
        vm.stand()
        writer = SavedWriter(file)
        blocks = [
            save_block(each, writer.write) for each in saved_blocks(vm.board.system.ram_blocks)
        ]
        saved = _describe(vm, blocks)
        writer.finish(saved.encode())
    return saved


def _refuse_chips(vm: VirtualMachine) -> None:
    if vm.accelerator.irqchip is not None:
        raise UnsupportedError(
            f"with kernel-irqchip={vm.accelerator.irqchip.kind.value} the state of interrupt"
            " controllers is the host kernel's, and a machine with it cannot be saved: give off"
        )


def _describe(vm: VirtualMachine, blocks: list[SavedBlock]) -> SavedMachine:
    board, log, phases = vm.board, vm.debug_log, vm.phases
    config = with_absolute_names(board.manage.present(board.config))
    firmware = None if board.firmware_path is None else board.firmware_path.absolute()
    return SavedMachine(
        program=__version__,
        taken_ns=time.time_ns(),
        engine=vm.accelerator.name,
        config=to_saved(config),
        files=[SavedFile(each, digest_of(each)) for each in files_of(config, firmware)],
        state=vm.state,
        time_ns=board.clock.now_ns(),
        phases=[SavedPhase(*each) for each in phases.changes],
        gave_up=phases.gave_up,
        log=[(line.time_ns, line.text) for line in log.lines],
        unfinished=log.unfinished,
        blocks=blocks,
        devices={
            name: msgspec.Raw(msgspec.msgpack.encode(each.save()))
            for name, each in board.register_blocks.items()
        },
        vcpus=[each.save() for each in vm.loop.loops],
        map_digest=map_digest(board),
    )


def map_digest(board: Board) -> bytes:
    """Return a checksum of what each address space of a machine shows."""
    digest = hashlib.blake2b(digest_size=32)
    for space in board.address_spaces:
        digest.update(f"{space.name}\n".encode())
        for each in space.view:
            digest.update(
                f"{each.start:x} {each.end:x} {each.region.name} {each.offset_in_region:x}"
                f" {each.mtree_type()}\n".encode()
            )
    return digest.digest()
