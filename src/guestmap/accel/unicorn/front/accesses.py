"""Accesses of the CPU to what is not whole pages of memory.

Called by Unicorn in the middle of an instruction. The values of its callbacks are the CPU's: a
big-endian one has the byte of the lowest address on top.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.front.unmapped import AccessKind, UnmappedAccess, UnmappedError
from guestmap.memory import MemTxResult

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from guestmap.accel.unicorn.front.instance import Instance
    from guestmap.memory import AddressSpace

_OK = MemTxResult.OK
_MASKS = tuple((1 << (8 * size)) - 1 for size in range(9))
_EVERYWHERE = (0, 1 << 64)


class Accesses:
    """The accesses of one CPU to one address space.

    Attributes:
        busy: the window that is being accessed, as first address and first address after; None
            outside of accesses. What is mapped there must stay.
        late: whether something of the map waits for that.
        catch_up: applies what waits, except for a window; sets ``late``.
        load: ``(address, size) -> value``, as the CPU has it.
        store: ``(address, size, value)``.
    """

    __slots__ = (
        "_failure", "_instance", "_space", "_unmapped", "busy", "catch_up", "late", "load", "store",
    )  # fmt: skip

    catch_up: Callable[[tuple[int, int]], None]

    def __init__(
        self,
        instance: Instance,
        space: AddressSpace,
        unmapped: Callable[[UnmappedAccess], int | None] | None,
    ) -> None:
        self._instance = instance
        self._space = space
        self._unmapped = unmapped
        self.busy: tuple[int, int] | None = None
        self.late = False
        self._failure: BaseException | None = None
        self.load = self._load_big if instance.big_endian else self._load
        self.store = self._store_big if instance.big_endian else self._store

    def callbacks(self, low: int, high: int) -> tuple[Any, Any]:
        """Return what Unicorn calls for reads and writes of a window; neither raises."""
        load, store, fail = self.load, self.store, self.fail
        window = (low, high)

        def read(_handle: object, offset: int, size: int, _data: object) -> int:
            outer, self.busy = self.busy, window
            try:
                if outer is not None or self.late:
                    self._enter(outer, window)
                return load(low + offset, size)
            except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
                return fail(error)
            finally:
                self.busy = outer

        def write(_handle: object, offset: int, size: int, value: int, _data: object) -> None:
            outer, self.busy = self.busy, window
            try:
                if outer is not None or self.late:
                    self._enter(outer, window)
                store(low + offset, size, value)
            except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
                fail(error)
            finally:
                self.busy = outer

        return read, write

    def _enter(self, outer: tuple[int, int] | None, window: tuple[int, int]) -> None:
        """Begin an access inside another (a callback that reads through Unicorn), or a late one."""
        if outer is not None:
            self.busy = _EVERYWHERE
        else:
            self.catch_up(window)

    def _load(self, address: int, size: int) -> int:
        plan = self._space.source.view.plans.get(address << 4 | size)
        if plan is not None:  # a device that was read before: its own callback
            number = plan()
            try:
                return number & _MASKS[size]  # type: ignore[no-any-return]
            except TypeError:
                raise self._space.no_number(address, size, number) from None
        value, result = self._space.load_result(address, size)
        if result is not _OK and result & MemTxResult.DECODE_ERROR:
            for at, length in self._unanswered(address, size):
                shift, mask = 8 * (at - address), _MASKS[length]
                value &= ~(mask << shift)
                value |= self.nobody("read", at, length) << shift
        return value

    def _store(self, address: int, size: int, value: int) -> None:
        value &= _MASKS[size]
        plan = self._space.source.view.plans.get(~(address << 4 | size))
        if plan is not None:
            plan(value, size)
            return
        result = self._space.store(address, size, value)
        if result is not _OK and result & MemTxResult.DECODE_ERROR:
            for at, length in self._unanswered(address, size):
                self.nobody("write", at, length, value >> 8 * (at - address) & _MASKS[length])

    def _unanswered(self, address: int, size: int) -> Iterator[tuple[int, int]]:
        """Yield address and size of what nobody took of an access that was not taken whole.

        Where somebody is at each byte, that is the whole access, which a device refuses; or
        nothing, where the bytes are memory: ROM ignores writes.
        """
        found = [self._space.find(address + index) for index in range(size)]
        start = 0
        for is_gap, run in groupby(each is None for each in found):
            length = len(list(run))
            if is_gap:
                yield address + start, length
            start += length
        if not any(each is None or each.region.ram_block is not None for each in found):
            yield address, size

    def _load_big(self, address: int, size: int) -> int:
        return _swapped(self._load(address, size), size)

    def _store_big(self, address: int, size: int, value: int) -> None:
        self._store(address, size, _swapped(value & _MASKS[size], size))

    def fail(self, error: BaseException) -> int:
        """Keep the first error for ``emu_start``, and return 0: a reading callback must."""
        if self._failure is None:
            self._failure = error
        self._instance.uc.emu_stop()
        return 0

    def take_failure(self) -> BaseException | None:
        """Return the error of the run that has ended, if there was one."""
        failure, self._failure = self._failure, None
        return failure

    def nobody(self, kind: AccessKind, address: int, size: int, value: int | None = None) -> int:
        """Tell of an access that nobody took; return what a read gets, little-endian.

        Whoever is told has numbers as the CPU has them.
        """
        big = self._instance.big_endian
        if value is not None and big:
            value = _swapped(value, size)
        access = UnmappedAccess.at(self._space, kind, address, size, value)
        if self._unmapped is None:
            raise UnmappedError(access)
        answer = (self._unmapped(access) or 0) & _MASKS[size]
        return _swapped(answer, size) if big else answer


def _swapped(value: int, size: int) -> int:
    return int.from_bytes(value.to_bytes(size, "little"), "big")
