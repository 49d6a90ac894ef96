"""Mapping guest memory for a device's transfers: straight to host memory where that can be.

This is QEMU's ``address_space_map``. Where RAM answers, the device gets the RAM itself, pinned, as
far as the addresses go on in the same region. Anything else is copied through a *bounce buffer*, of
which each address space has only so many bytes at a time; a device that gets none registers to be
called when some are free again, and tries once more.
"""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.base import ConfigError, StateError
from guestmap.memory.access.bounce import BouncePool
from guestmap.memory.access.translate import ADDRESS_MASK, locate
from guestmap.memory.map.ops import MemTxAttrs, MemTxResult

if TYPE_CHECKING:
    from guestmap.memory.access.address_space import AddressSpace
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.ram.block import RamBlock


class Run:
    """Consecutive host memory that consecutive addresses lead to.

    Attributes:
        block: the RAM block, which the caller has to unpin.
        offset: of the first byte in the block.
        length: bytes.
    """

    __slots__ = ("block", "length", "offset")

    def __init__(self, block: RamBlock, offset: int, length: int) -> None:
        self.block = block
        self.offset = offset
        self.length = length

    @property
    def buffer(self) -> memoryview:
        """The memory."""
        return self.block.view(self.offset, self.length)


def pinned_run(
    space: AddressSpace, address: int, length: int, is_write: bool, attrs: MemTxAttrs
) -> Run | None:
    """Pin and return the host memory at ``address``, up to ``length`` bytes of it.

    It goes on over neighbouring ranges as long as they show the same region without a gap. None
    where the first byte is not memory that may be accessed so.
    """
    view = space.view
    region, start, done = None, 0, 0
    while done < length:
        at = (address + done) & ADDRESS_MASK
        _, found, at, room = locate(view, at, length - done, is_write, attrs)
        if found is None or not _is_direct(space, found, is_write, attrs):
            break
        offset = found.offset_in_region + at - found.start
        if region is None:
            region, start = found.region, offset
        elif region is not found.region or offset != start + done:
            break
        done += min(room, found.end - at)
    block = region.ram_block if region is not None else None
    if block is None or not block.try_pin():
        return None
    done = min(done, len(block.buffer) - start)
    if done <= 0:  # no backing, or a region that reaches beyond its block
        block.unpin()
        return None
    return Run(block, start, done)


def _is_direct(space: AddressSpace, found: FlatRange, is_write: bool, attrs: MemTxAttrs) -> bool:
    if not is_write:
        return found.reads_directly and (found.region.ram or not attrs.memory)
    return found.reads_directly and found.region.ram and not space.dispatch.refuses_writes(found)


class Mapping:
    """Guest memory that a device has mapped. Unmap it, or use it in a ``with`` statement.

    Attributes:
        address: the guest's, of the first byte.
        length: bytes; perhaps less than was asked for.
        buffer: the bytes, read-only unless mapped for writing. What is written shows in the guest
            at once where ``direct``, else when it is unmapped. Empty once it is unmapped.
        is_write: whether it was mapped for writing.
        direct: whether ``buffer`` is the guest's memory itself, and not a copy.
    """

    __slots__ = ("_mapped", "_pool", "_run", "_space", "address", "buffer", "direct", "is_write")

    def __init__(
        self,
        space: AddressSpace,
        address: int,
        buffer: memoryview,
        is_write: bool,
        source: Run | BouncePool,
    ) -> None:
        self._space = space
        self._run = source if isinstance(source, Run) else None
        self._pool = source if isinstance(source, BouncePool) else None
        self._mapped = True
        self.address = address
        self.buffer = buffer if is_write else buffer.toreadonly()
        self.is_write = is_write
        self.direct = self._run is not None

    @property
    def length(self) -> int:
        """Bytes mapped."""
        return len(self.buffer)

    def unmap(self, written: int | None = None) -> MemTxResult:
        """Let go of the memory, and have everybody see what was written.

        Args:
            written: how many bytes of the buffer, from its start, were written; by default all.

        Returns:
            how the writing of a copy ended; OK for direct memory.

        Raises:
            ConfigError: ``written`` is more than was mapped, or negative.
            StateError: it was unmapped before.
        """
        if not self._mapped:
            raise StateError(f"the mapping of 0x{self.address:x} was unmapped before")
        buffer = self.buffer
        written = len(buffer) if written is None else written
        if not 0 <= written <= len(buffer):
            raise ConfigError(
                f"0x{written:x} bytes were written to the mapping of 0x{self.address:x}, which"
                f" has 0x{len(buffer):x}"
            )
        self._mapped = False
        self.buffer = memoryview(b"")
        result = MemTxResult.OK
        try:
            if self.is_write and written:
                if self._run is not None:
                    self._run.block.written(self._run.offset, written)
                else:
                    result = self._space.write(self.address, buffer[:written])
        finally:
            if self._run is not None:
                self._run.block.unpin()
            if self._pool is not None:
                self._pool.give_back(len(buffer))
        return result

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._mapped:
            self.unmap()

    def __repr__(self) -> str:
        kind = "direct" if self.direct else "copy"
        return f"<Mapping of 0x{self.address:x}, 0x{self.length:x} bytes, {kind}>"


def map_memory(
    space: AddressSpace, address: int, length: int, is_write: bool, attrs: MemTxAttrs
) -> Mapping | None:
    """Map up to ``length`` bytes; see :meth:`guestmap.memory.AddressSpace.map`."""
    run = pinned_run(space, address, length, is_write, attrs)
    if run is not None:
        return Mapping(space, address, run.buffer, is_write, run)
    room = locate(space.view, address, length, is_write, attrs)[3] if length > 0 else 0
    pool = space.bounce
    granted = pool.take(room)
    if not granted:
        return None
    copy = bytearray(granted)
    if not is_write:
        space.read_into(address, copy, attrs)
    return Mapping(space, address, memoryview(copy), is_write, pool)
