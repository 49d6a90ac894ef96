"""String instructions that go through a device's window, done in one go.

A REP MOVS or REP STOS is one access after the other to the library, and each that finds no memory a
call of Python. Where a guest writes to something like memory, address by address upward, the CPU is
made to leave; if it then stands at such an instruction, whose registers say how far it has come,
what is left of it is done here: the same accesses in the same order. An instruction that is done
is left with a count of 0, which the CPU makes nothing of.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.state import CS, DESC_BIG, DS, EAX, ECX, ES, FS, GS, SS, TF
from guestmap.base.named_tuple import NamedTuple
from guestmap.memory.access.dispatch_cache import page_read, page_write
from guestmap.memory.map.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.accel.unicorn.hooks import Hooks
    from guestmap.memory import AddressSpace, MemoryRegionOps
    from guestmap.memory.map.flat_range import FlatRange
    from guestmap.memory.map.flatview import FlatView

_MOST = 4096
"""Accesses in one go: interrupts and timers wait for as long."""

_LEAST = 8
"""Accesses for which nobody leaves the guest again."""

_MOST_OTHERS = 64

_ESI, _EDI = 6, 7
_DF = 1 << 10
_REP, _NARROW_OR_WIDE_DATA, _NARROW_OR_WIDE_ADDRESS = 0xF3, 0x66, 0x67
_SEGMENTS = {0x26: ES, 0x2E: CS, 0x36: SS, 0x3E: DS, 0x64: FS, 0x65: GS}
_MOVS, _STOS = (0xA4, 0xA5), (0xAA, 0xAB)
_LONGEST = 15
"""Bytes of an instruction (Intel SDM, volume 2, section 2.3.11)."""
_KNOWN_BY = 8
"""Bytes that an instruction is known again by."""


class StringInstruction(NamedTuple):
    """What the CPU is at: ``segment`` is the source's, or None for STOS; ``mask`` an address's.

    ``length`` is that of the instruction itself, in bytes.
    """

    segment: int | None
    size: int
    mask: int
    length: int


class StringRun(NamedTuple):
    """So many elements, from one physical address on, or all the same, to another one.

    Attributes:
        target, source: the addresses; no source: all are the same.
        length: how many elements.
        to, come: the ranges that answer at all of both.
    """

    target: int
    source: int | None
    length: int
    to: FlatRange
    come: FlatRange | None

    @property
    def reads_device(self) -> bool:
        """Whether its elements come from a device."""
        return self.come is not None and not self.come.reads_directly


class Strings:
    """The string instructions of one CPU, whose registers can be looked at while it runs.

    Args:
        cpu: the CPU.
        hooks: know what it sees.
        counters: what is done is counted there.

    Attributes:
        allowed: False: the CPU does all by itself, for somebody watches it.
    """

    def __init__(self, cpu: Cpu, hooks: Hooks, counters: Counters) -> None:
        self._cpu = cpu
        self._hooks = hooks
        self._counters = counters
        self.allowed = True
        self._is_due = False
        self._next = -1
        self._others: set[int] = set()  # code that writes likewise, and is something else
        self._known: dict[int, tuple[int, StringInstruction]] = {}  # by address, with its bytes
        self._known_in: tuple[AddressSpace, int] | None = None

    def page_write(
        self, plans: dict[int, Any], address: int, size: int
    ) -> Callable[[int, int], object] | None:
        """Return what writes to something like memory, and look whether more of it is to come."""
        page = page_write(plans, address, size)
        if address == self._next and page is not None:
            self._follows()
        self._next = address + size
        return page

    def _follows(self) -> None:
        """Hear of a write to the address behind the last one's; have the CPU leave if it is one.

        The instruction pointer is where the block of code begins: an instruction that repeats
        itself is a block of its own.
        """
        code = self._code_address()
        if code in self._others or not self._may():
            return
        found = self._instruction(code)
        if found is None:
            self._pass_over(code)
        elif self._left(found) >= _LEAST:
            self._is_due = True
            self._cpu.leaving.ask()

    def _pass_over(self, code: int) -> None:
        """Leave the guest no more for code that is there."""
        if len(self._others) >= _MOST_OTHERS:
            self._others.clear()
        self._others.add(code)

    def go_on(self) -> bool:
        """Go on with what the CPU stands at, if it was made to leave for that; tell whether.

        Raises:
            Exception: whatever a device callback raised.
        """
        if not self._is_due:
            return False
        self._is_due = False
        code = self._code_address()
        found = self._instruction(code) if self._may() else None
        if found is None or not self._left(found):
            return False
        run = self._run(found)
        if run is None:
            self._pass_over(code)
            return False
        done = 0
        self._hooks.in_device = True
        try:
            if self._at_once(run, found.size):
                done = run.length
            while done < run.length:
                done += 1
                self._do_one(run, (done - 1) * found.size, found.size)
        finally:
            self._hooks.in_device = False
            self._note(done, found)
            self._counters.mmio_writes += done
            self._counters.mmio_reads += done * run.reads_device
        return True

    def _may(self) -> bool:
        """Tell whether addresses are physical ones, and nobody hears of each access."""
        hooks = self._hooks
        return (
            self.allowed
            and hooks.hear_read is None
            and not self._cpu.state.long_mode
            and self._cpu.is_flat()
        )

    def _left(self, found: StringInstruction) -> int:
        return self._cpu.state.general(ECX) & found.mask

    def _run(self, found: StringInstruction) -> StringRun | None:
        """Return what can be done in one go, from the registers; None: nothing."""
        state, (segment, size, mask, _) = self._cpu.state, found
        if state.eflags & (_DF | TF):
            return None
        to, come = state.general(_EDI) & mask, state.general(_ESI) & mask
        room = mask + 1 - (to if segment is None else max(to, come))
        target = state.segment(ES).base + to & 0xFFFFFFFF
        source = None if segment is None else state.segment(segment).base + come & 0xFFFFFFFF
        return self._known_run(target, source, min(self._left(found), room // size, _MOST), size)

    def _do_one(self, run: StringRun, at: int, size: int) -> None:
        memory = self._hooks.memory
        if run.source is None:
            value = self._cpu.state.general(EAX) & (1 << 8 * size) - 1
        else:
            value = memory.load(run.source + at, size)
        write = page_write(memory.source.view.plans, run.target + at, size)
        if write is None:
            memory.store(run.target + at, size, value)
        else:
            write(value, size)

    def _known_run(
        self, target: int, source: int | None, count: int, size: int
    ) -> StringRun | None:
        """Return it where a device that is like memory takes all of it, and gives it, or memory.

        Ways that are remembered say that an access is one call of the device, and nothing more;
        there is none where it is not aligned.
        """
        view = self._hooks.memory.source.view
        to = _all_of(view, target, count, size)
        if to is None or not to.region.ops.like_memory:
            return None
        if page_write(view.plans, target, size) is None:
            return None
        if source is None:
            return StringRun(target, None, count, to, None)
        come = _all_of(view, source, count, size)
        if come is None or not (come.reads_directly or _is_read_by_pages(come, view, source, size)):
            return None
        return StringRun(target, source, count, to, come)

    def _at_once(self, run: StringRun, size: int) -> bool:
        """Have the device itself take all of it, if it can.

        It comes from the device's own region, from memory that is not its own, or is one value.
        """
        target, source, count, to, come = run
        region, shift, length = to.region, to.offset_in_region - to.start, count * size
        write = region.ops.write_run
        if write is None:
            return False
        if source is None or come is None:
            value = self._cpu.state.general(EAX) & (1 << 8 * size) - 1
            data = value.to_bytes(size, "little") * count
            change = partial(write, target + shift, data)
        elif come is to:
            if source < target < source + length:
                return False
            change = partial(_move, region.ops, target + shift, source + shift, length)
        elif come.reads_directly and come.region.owner is not region.owner:
            change = partial(write, target + shift, self._hooks.memory.read(source, length))
        else:
            return False
        guard = region.active_guard
        return change() if guard is None else guarded(guard, region, target + shift, change, False)

    def _note(self, done: int, found: StringInstruction) -> None:
        """Have the registers say how far it has come; the instruction's own address stays."""
        segment, size, mask, _ = found
        state = self._cpu.state
        for register, step in (ECX, -1), (_EDI, size), (_ESI, 0 if segment is None else size):
            before = state.general(register)
            state.set_general(register, before & ~mask | before + step * done & mask)

    def _code_address(self) -> int:
        state = self._cpu.state
        return state.segment(CS).base + state.eip & 0xFFFFFFFF

    def _instruction(self, begin: int) -> StringInstruction | None:
        """Return what the CPU stands at, if it is REP MOVS or REP STOS.

        What was there before is known again by its first bytes, while the view is the same.
        """
        memory, wide = self._hooks.memory, bool(self._cpu.state.segment(CS).flags & DESC_BIG)
        view = memory.source.view.generation
        if self._known_in != (memory, view) or len(self._known) > _MOST_OTHERS:
            self._known.clear()
            self._known_in = memory, view
        key = begin << 1 | wide
        known = self._known.get(key)
        if known is not None and memory.load(begin, _KNOWN_BY) == known[0]:
            return known[1]
        found = self._decoded(begin, wide=wide)
        if found is None or found.length > _KNOWN_BY:
            return found
        if self._hooks.is_memory(begin + _KNOWN_BY - 1):
            self._known[key] = memory.load(begin, _KNOWN_BY), found
        return found

    def _decoded(self, begin: int, *, wide: bool) -> StringInstruction | None:
        prefixes, segment = set(), DS
        for at in range(_LONGEST):
            address = begin + at & 0xFFFFFFFF
            if not self._hooks.is_memory(address):
                return None
            byte = self._hooks.peek(address, 1)
            if byte in _SEGMENTS:
                segment = _SEGMENTS[byte]
            elif byte in (_REP, _NARROW_OR_WIDE_DATA, _NARROW_OR_WIDE_ADDRESS):
                prefixes.add(byte)
            elif byte in _MOVS + _STOS and _REP in prefixes:
                most = 4 if wide is not (_NARROW_OR_WIDE_DATA in prefixes) else 2
                is_wide = wide is not (_NARROW_OR_WIDE_ADDRESS in prefixes)
                return StringInstruction(
                    segment if byte in _MOVS else None,
                    most if byte & 1 else 1,
                    0xFFFFFFFF if is_wide else 0xFFFF,
                    at + 1,
                )
            else:
                return None
        return None


def _all_of(view: FlatView, begin: int, count: int, size: int) -> FlatRange | None:
    """Return the range that answers at all of some accesses, if it is one."""
    found = view.find(begin)
    return found if found is not None and begin + count * size <= found.end else None


def _is_read_by_pages(found: FlatRange, view: FlatView, address: int, size: int) -> bool:
    return found.region.ops.like_memory and page_read(view.plans, address, size) is not None


def _move(ops: MemoryRegionOps, target: int, source: int, length: int) -> bool:
    if ops.read_run is None or ops.write_run is None:
        return False
    data = ops.read_run(source, length)
    return data is not None and ops.write_run(target, data)
