"""A machine out of a file: one that is made for it, or one that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from guestmap.base import ConfigError, GuestmapError, HostError, PeerError, UnsupportedError
from guestmap.machine.observed import Event, LogLine
from guestmap.machine.phases import PhaseChange
from guestmap.machine.saved.config import (
    check_covered,
    check_files,
    from_saved,
    memory_of,
    to_look_at,
)
from guestmap.machine.saved.content import SavedMachine, decode
from guestmap.machine.saved.format import SavedReader
from guestmap.machine.saved.ram import check_room, load_block, saved_blocks
from guestmap.machine.saved.save import map_digest
from guestmap.machine.vm import VirtualMachine


class OpenedMachine:
    """A file that is whole and makes sense; nothing is made of it yet.

    Attributes:
        name: of the file.
        saved: what is in it.
        config: what the machine is made from.

    Raises:
        PeerError: it is no saved machine, or was cut short or changed.
        ConfigError: a file that the machine was made from is another one.
        HostError: the host has no room for its memory, or a file cannot be read.
        UnsupportedError: another version of guestmap wrote it.
    """

    def __init__(self, reader: SavedReader) -> None:
        self.name = reader.name
        self._reader = reader
        self.saved: SavedMachine = decode(reader.index, reader.name, reader.data_length)
        with _blaming(self.name):
            self.config = from_saved(self.saved.config)
            check_covered(self.config, {each.path for each in self.saved.files})
            memory = memory_of(self.config)
        check_files((each.path, each.digest) for each in self.saved.files)
        blocks = sum(each.used for each in self.saved.blocks)
        check_room(max(blocks, memory), f"the machine that was saved in {self.name}")

    def pieces(self) -> Iterator[Iterator[bytes]]:
        """Yield the data of each RAM block, in pieces."""
        begin = 0
        for block in self.saved.blocks:
            end = begin + sum(piece.stored for piece in block.pieces)
            yield self._of_block(block.pieces, begin)
            begin = end

    def _of_block(self, pieces: Any, begin: int) -> Iterator[bytes]:
        for piece in pieces:
            yield self._reader.data(begin, piece.stored)
            begin += piece.stored


@contextmanager
def open_saved(path: Path) -> Iterator[OpenedMachine]:
    """Open a file, and check all that can be checked, for the length of a ``with`` block.

    Raises:
        PeerError, ConfigError, HostError, UnsupportedError: see :class:`OpenedMachine`.
    """
    if path.is_fifo():  # to open it is to wait for whoever writes to it
        raise HostError(f"cannot read {path} (a pipe): a file is read from its end, give one")
    try:
        file = path.open("rb")
    except OSError as error:
        raise HostError(f"cannot read {path} ({error.strerror})", call="open") from error
    with file:
        yield OpenedMachine(SavedReader(file, str(path)))


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Name the file in what is said against the machine that it describes."""
    try:
        yield
    except (ConfigError, PeerError, UnsupportedError) as error:
        if name in str(error):
            raise
        kind = next(x for x in (ConfigError, PeerError, UnsupportedError) if isinstance(error, x))
        raise kind(f"{name}: {error}") from error


def restore(
    path: Path,
    *,
    engine: str = "",
    observer: Callable[[Event], None] = lambda _event: None,
    looking: bool = False,
) -> VirtualMachine:
    """Make a machine that goes on from where one was saved; it is paused.

    Args:
        path: the file.
        engine: what runs its CPU; "" for what did.
        observer: hears each event, in the thread that runs the CPU.
        looking: whether it is only looked at: its memory is then of no file, so that none is made
            or written to.

    Raises:
        PeerError, ConfigError, HostError, UnsupportedError: see :class:`OpenedMachine`; all but the
            host's refusal of memory before anything is made.
    """
    with open_saved(path) as opened:
        engine = engine or opened.saved.engine
        config = to_look_at(opened.config) if looking else opened.config
        with _blaming(opened.name):
            vm = VirtualMachine(config, engine=engine, observer=observer)
        try:
            load_into(vm, opened)
        except BaseException:
            vm.close()
            raise
    return vm


def load_into(vm: VirtualMachine, opened: OpenedMachine) -> None:
    """Make a machine one that was saved: it is paused afterwards.

    Raises:
        ConfigError: it is another machine; nothing has changed.
        PeerError: the file is no machine that could have been saved; what was there is lost, and
            the machine needs a reset.
    """
    with vm.exclusive():
        vm.stop()
        _check_cpu(vm, opened)
        states = _states(vm, opened)
        _check_blocks(vm, opened)
        try:
            with _blaming(opened.name):
                _load(vm, opened, states)
        except GuestmapError as error:
            vm.spoiled(str(error))
            raise


def _load(vm: VirtualMachine, opened: OpenedMachine, states: dict[str, Any]) -> None:
    saved, board = opened.saved, vm.board
    board.clock.stop()  # pausing a machine that sleeps leaves its time going on
    board.clock.restore(saved.time_ns)
    with board.system.transaction("a saved machine is loaded"):
        blocks = {each.name: each for each in saved_blocks(board.system.ram_blocks)}
        for block, pieces in zip(saved.blocks, opened.pieces(), strict=True):
            load_block(blocks[block.name], block, pieces)
        for name, each in board.register_blocks.items():
            each.load(states[name])
    if vm.accelerator.capabilities.runs_code:
        for loop, state in zip(vm.loop.loops, saved.vcpus, strict=False):
            if state is not None:
                loop.load(state)
    phases = [PhaseChange(x.phase, x.time_ns, x.evidence) for x in saved.phases]
    vm.phases.restore(phases, gave_up=saved.gave_up)
    vm.debug_log.restore([LogLine(*each) for each in saved.log], saved.unfinished)
    if map_digest(board) != saved.map_digest:
        raise PeerError(
            f"{opened.name}: guestmap {saved.program} saved a machine with another memory map than"
            " the one that is made of it here"
        )
    vm.loaded(saved.state)


def _states(vm: VirtualMachine, opened: OpenedMachine) -> dict[str, Any]:
    """Return the states of the devices, each of the type that its device has.

    Raises:
        ConfigError: they are other devices, or in a state that they cannot be in.
    """
    blocks, saved = vm.board.register_blocks, opened.saved.devices
    if blocks.keys() != saved.keys():
        other = ", ".join(sorted(blocks.keys() ^ saved.keys()))
        raise ConfigError(f"{opened.name} is of a machine with other devices: {other}")
    states = {}
    for name, each in blocks.items():
        try:
            states[name] = msgspec.msgpack.decode(saved[name], type=type(each.state))
        except msgspec.DecodeError as error:
            raise ConfigError(f"{opened.name}: saved state of {name}: {error}") from error
    return states


def _check_cpu(vm: VirtualMachine, opened: OpenedMachine) -> None:
    """Check that the CPUs that execute the guest have states to go on from.

    Raises:
        ConfigError: nothing executed it before, or more CPUs did than run here.
    """
    saved = opened.saved
    if vm.accelerator.capabilities.runs_code and not any(saved.vcpus):
        raise ConfigError(
            f"{opened.name} has no state of a CPU: engine {saved.engine!r} executed nothing, so"
            f" engine {vm.accelerator.name!r} cannot go on"
        )
    started = [each for each in saved.vcpus if each is not None and not each.waits_for_startup]
    if vm.accelerator.capabilities.runs_code and len(started) > len(vm.vcpus):
        raise ConfigError(
            f"{opened.name} has {len(started)} CPUs that had been started: engine"
            f" {vm.accelerator.name!r} runs {len(vm.vcpus)}"
        )


def _check_blocks(vm: VirtualMachine, opened: OpenedMachine) -> None:
    """Check that the machine has the memory that was saved.

    Raises:
        ConfigError: it has other memory.
    """
    blocks = saved_blocks(vm.board.system.ram_blocks)
    there = {each.name: (each.used_length, each.max_length) for each in blocks}
    saved = {each.name: (each.used, each.largest) for each in opened.saved.blocks}
    if there != saved:
        name = next(name for name in there | saved if there.get(name) != saved.get(name))
        raise ConfigError(
            f"{opened.name} is of a machine with other memory: {name!r} has"
            f" {_sizes(saved.get(name))} there, and {_sizes(there.get(name))} here"
        )


def _sizes(sizes: tuple[int, int] | None) -> str:
    return "nothing" if sizes is None else f"0x{sizes[0]:x} bytes of at most 0x{sizes[1]:x}"
