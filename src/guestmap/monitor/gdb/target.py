"""The machine, as a debugger handles it: registers, memory, stops. Devices are never read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from guestmap.accel.debug import GuestAccess, WatchKind, Watchpoint
from guestmap.accel.vcpu_state import EFER
from guestmap.base import ADDRESS_SPACE_SIZE, MIB, ConfigError
from guestmap.monitor.gdb.registers import LONG_MODE, registers
from guestmap.monitor.hmp import HumanMonitor
from guestmap.monitor.linear import LinearReader

if TYPE_CHECKING:
    from guestmap.accel import VcpuState
    from guestmap.machine import VirtualMachine

_PAGE = 0x1000
MAX_LENGTH = MIB
"""Bytes of a breakpoint: each page of them is looked up."""


class StopKind(Enum):
    """What a breakpoint stops at; the values are those of the packets ``Z`` and ``z``."""

    SOFTWARE = 0
    HARDWARE = 1
    WRITE = 2
    READ = 3
    ACCESS = 4


_KINDS = {
    StopKind.SOFTWARE: frozenset({WatchKind.EXECUTE}),
    StopKind.HARDWARE: frozenset({WatchKind.EXECUTE}),
    StopKind.WRITE: frozenset({WatchKind.WRITE}),
    StopKind.READ: frozenset({WatchKind.READ}),
    StopKind.ACCESS: frozenset({WatchKind.READ, WatchKind.WRITE}),
}


class Breakpoint(NamedTuple):
    """A place to stop at: ``length`` bytes at a linear address; of an instruction, its first."""

    kind: StopKind
    address: int
    length: int


class GdbTarget:
    """One machine.

    Args:
        vm: the machine, which was started.

    Attributes:
        physical: addresses are guest-physical; else linear, by the page tables of the moment.
        hit: the data breakpoint that the machine has stopped at, and where; None for another stop.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._vm = vm
        self._points: dict[Breakpoint, tuple[Watchpoint, ...]] = {}
        self._state: VcpuState | None = None
        self._human = HumanMonitor(vm)
        self.physical = False
        self.hit: tuple[StopKind, int] | None = None

    # -- running -----------------------------------------------------------------------------------

    def stop(self) -> None:
        """Have the machine stand still."""
        self._vm.stop()
        self._state = None

    def go(self, *, stepping: bool = False) -> None:
        """Let it run on.

        Raises:
            GuestmapError: it cannot, or its engine cannot be watched.
        """
        self._state = self.hit = None
        self._watch(stepping=stepping)
        self._vm.cont()

    def leave(self) -> None:
        """Take all breakpoints away, and a step that was asked for."""
        self._points.clear()
        self._watch()

    def quit(self) -> None:
        """End the machine."""
        self._vm.quit("host-ui")

    def monitor(self, line: str) -> str:
        """Carry out a line of the human monitor."""
        with self._vm.exclusive():
            self._state = None
            return self._human.execute(line).replace("\r\n", "\n")

    # -- registers ---------------------------------------------------------------------------------

    @property
    def state(self) -> VcpuState:
        """The CPU, as it stands.

        Raises:
            UnsupportedError: not all of it can be seen.
        """
        if self._state is None:
            with self._vm.exclusive():
                state = self._vm.vcpu.save()
            assert state is not None  # a machine with a CPU alone is debugged
            self._state = state
        return self._state

    @property
    def long_mode(self) -> bool:
        """Whether it executes in long mode."""
        return bool(self.state.msrs.get(EFER, 0) & LONG_MODE)

    def write_registers(self, values: dict[str, int], *, long_mode: bool) -> None:
        """Set registers, those that may be set; of the others, what they have is let pass.

        Raises:
            ValueError: one cannot have that value, or cannot be set; none is set then.
        """
        state, self._state = self.state, None
        for each in registers(long_mode=long_mode):
            value = values.get(each.name)
            if value is None or value == each.read(state) & (1 << each.bits) - 1:
                continue
            if each.write is None or value >> each.bits:
                raise ValueError(each.name)
            each.write(state, value)
        with self._vm.exclusive():
            self._vm.vcpu.load(state)

    # -- memory ------------------------------------------------------------------------------------

    def read(self, address: int, length: int) -> bytes:
        """Return what is in memory, up to the first address that is none."""
        memory, data = self._vm.board.cpu_memory, bytearray()
        with self._vm.exclusive():
            for physical, size in self._pieces(address, length, writes=False):
                data += memory.read(physical, size)
        return bytes(data)

    def write(self, address: int, data: bytes) -> bool:
        """Write to memory; False, and nothing done, where not all of it is RAM."""
        memory, at = self._vm.board.cpu_memory, 0
        with self._vm.exclusive():
            pieces = list(self._pieces(address, len(data), writes=True))
            if sum(size for _, size in pieces) < len(data):
                return False
            for physical, size in pieces:
                memory.write(physical, data[at : at + size])
                at += size
        return True

    def _pieces(self, address: int, length: int, *, writes: bool) -> Iterator[tuple[int, int]]:
        """Yield physical addresses and sizes of memory, until something else comes."""
        view, end = self._vm.board.cpu_memory.view, address + length
        while address < end:
            physical = self._physical(address)
            found = None if physical is None else view.find(physical)
            if physical is None or found is None or not found.reads_directly:
                return
            if writes and found.mtree_type() != "ram":
                return
            size = min(end - address, _PAGE - address % _PAGE, found.end - physical)
            yield physical, size
            address += size

    def _physical(self, address: int) -> int | None:
        if self.physical:
            return address
        vm = self._vm
        reader = LinearReader(vm.vcpu, vm.board.cpu_memory, long_mode=self.long_mode)
        return reader.physical(address)

    # -- breakpoints -------------------------------------------------------------------------------

    def insert(self, point: Breakpoint) -> bool:
        """Stop there from now on; False where its page is not present.

        Raises:
            ConfigError: it is longer than one may be.
            UnsupportedError: the engine cannot be watched.
        """
        if point.length > MAX_LENGTH:
            raise ConfigError(
                f"{point.length:#x} bytes at {point.address:#x} cannot be watched: at most"
                f" {MAX_LENGTH:#x}"
            )
        if point in self._points:
            return True
        if point.kind in {StopKind.SOFTWARE, StopKind.HARDWARE}:
            ranges = [(point.address, 1)]
        else:
            with self._vm.exclusive():
                ranges = list(self._present(point))
            if sum(size for _, size in ranges) < point.length:
                return False
        self._points[point] = tuple(
            Watchpoint(first, first + size - 1, _KINDS[point.kind], self._hearer(point))
            for first, size in ranges
        )
        try:
            self._watch()
        except BaseException:
            del self._points[point]
            raise
        return True

    def remove(self, point: Breakpoint) -> None:
        """Stop there no more."""
        if self._points.pop(point, None) is not None:
            self._watch()

    def _present(self, point: Breakpoint) -> Iterator[tuple[int, int]]:
        address, end = point.address, min(point.address + point.length, ADDRESS_SPACE_SIZE)
        while address < end and (physical := self._physical(address)) is not None:
            size = min(end - address, _PAGE - address % _PAGE)
            yield physical, size
            address += size

    def _hearer(self, point: Breakpoint) -> Callable[[GuestAccess], bool]:
        is_data = point.kind not in {StopKind.SOFTWARE, StopKind.HARDWARE}

        def hear(_access: GuestAccess) -> bool:
            if is_data:
                self.hit = point.kind, point.address
            return True

        return hear

    def _watch(self, *, stepping: bool = False) -> None:
        points = [each for all_of in self._points.values() for each in all_of]
        self._vm.watching.set(self, points, stepping=stepping)
