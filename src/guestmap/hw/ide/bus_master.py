"""The bus master of one IDE channel: three registers, and a table of pieces in memory.

Intel 82371FB/82371SB data sheet (290550), section 2.7, and SFF-8038i: a descriptor is eight bytes,
address and length, of which 0 stands for 64 KiB; the last one has bit 31 of its second half set. A
transfer is done whole, in as few pieces as there are, when both the drive and the guest are ready.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.base.dataclass import dataclass
from guestmap.base.named_tuple import NamedTuple
from guestmap.hw.device import U8, U32, IoRegion, RegisterBlock
from guestmap.memory import Endianness, MemoryRegionOps

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.memory import AddressSpace

_COMMAND, _STATUS = 0, 2
_START, _COMMAND_BITS = 1 << 0, 0x09
_ACTIVE, _INTERRUPT, _CAPABLE, _CLEARABLE = 1 << 0, 1 << 2, 0x60, 0x06
_TABLE_BYTES, _ENTRY = 4096, 8
_LAST = 1 << 31


@dataclass(slots=True)
class BusMasterState:
    """Command, status and table pointer of one channel, and where in the table it is."""

    command: U8 = 0
    status: U8 = 0
    pointer: U32 = 0
    current: U32 = 0


class Pieces(NamedTuple):
    """Where the data of a transfer is in memory.

    Attributes:
        ranges: address and length, neighbours made one.
        length: bytes of them all, at most what was asked for.
        described: bytes that the table has room for.
    """

    ranges: tuple[tuple[int, int], ...]
    length: int
    described: int


class BusMasterChannel(RegisterBlock[BusMasterState]):
    """Command, status and table pointer of one IDE channel.

    Args:
        space: what it sees as a master of the bus; None on a bench without memory.

    Attributes:
        on_start: called when the guest starts it.
    """

    def __init__(self, space: AddressSpace | None = None) -> None:
        super().__init__(BusMasterState())
        self._space = space
        self.on_start: Callable[[], None] = lambda: None

    def registers(self) -> tuple[IoRegion, IoRegion]:
        """Return ``piix-bmdma``, command and status, and ``bmdma``, the pointer; 4 bytes each.

        Of the first only byte accesses count.
        """
        control = MemoryRegionOps(read=self._read_control, write=self._write_control)
        pointer = MemoryRegionOps(
            read=lambda offset, _size: self.state.pointer >> (8 * offset),
            write=self._write_pointer,
            endianness=Endianness.LITTLE,
        )
        return IoRegion("piix-bmdma", 4, control), IoRegion("bmdma", 4, pointer)

    def _read_control(self, offset: int, size: int) -> int:
        if size == 1 and offset == _COMMAND:
            return self.state.command
        if size == 1 and offset == _STATUS:
            return self.state.status
        return (1 << (8 * size)) - 1

    def _write_control(self, offset: int, value: int, size: int) -> None:
        if size != 1:
            return
        if offset == _COMMAND:
            self._write_command(value)
        elif offset == _STATUS:
            kept = self.state.status & _ACTIVE | self.state.status & ~value & _CLEARABLE
            self.state.status = value & _CAPABLE | kept

    def _write_command(self, value: int) -> None:
        changed = (value ^ self.state.command) & _START
        if changed and not value & _START:
            self.state.status &= ~_ACTIVE
        starts = bool(changed and value & _START and not self.is_active)
        self.state.command = value & _COMMAND_BITS
        if starts:
            self.state.status |= _ACTIVE
            self.state.current = self.state.pointer
            self.on_start()

    def _write_pointer(self, offset: int, value: int, size: int) -> None:
        shift = 8 * offset
        mask = (1 << (8 * size)) - 1
        new = (self.state.pointer & ~(mask << shift)) | ((value & mask) << shift & ~3)
        self.state.pointer = new & 0xFFFF_FFFF

    # -- what a drive does with it -----------------------------------------------------------------

    @property
    def is_active(self) -> bool:
        """Whether it was started, and has not come to its end."""
        return bool(self.state.status & _ACTIVE)

    def interrupted(self) -> None:
        """Note that the drive has raised its interrupt."""
        self.state.status |= _INTERRUPT

    def pieces(self, length: int) -> Pieces:
        """Return where ``length`` bytes go: the rest of the table, as far as it has room."""
        ranges: list[tuple[int, int]] = []
        found = described = 0
        for address, room in self._entries():
            described += room
            taken = min(room, length - found)
            if not taken:
                continue
            found += taken
            if ranges and sum(ranges[-1]) == address:
                ranges[-1] = ranges[-1][0], ranges[-1][1] + taken
            else:
                ranges.append((address, taken))
        return Pieces(tuple(ranges), found, described)

    def _entries(self) -> Iterator[tuple[int, int]]:
        """Yield address and length of each entry that is left, up to the last one."""
        state = self.state
        left = _TABLE_BYTES - (state.current - state.pointer & 0xFFFF_FFFF)
        if self._space is None or left <= 0:
            return
        table = self._space.read(state.current, -(-left // _ENTRY) * _ENTRY)
        for address, length in struct.iter_unpack("<II", table):
            state.current = state.current + _ENTRY & 0xFFFF_FFFF
            yield address, length & 0xFFFE or 0x10000
            if length & _LAST:
                return

    def put(self, pieces: Pieces, data: bytes) -> None:
        """Write data to where it goes."""
        assert self._space is not None
        left = memoryview(data)
        for address, length in pieces.ranges:
            self._space.write(address, left[:length])
            left = left[length:]

    def take(self, pieces: Pieces) -> bytes:
        """Return the data that is there."""
        assert self._space is not None
        return b"".join(self._space.read(*piece) for piece in pieces.ranges)

    def end(self, pieces: Pieces, *, always: bool = False) -> None:
        """Come to the end: ``always``, or unless the table had room for more than there was."""
        if always or pieces.described <= pieces.length:
            self.state.status &= ~_ACTIVE
