"""What Unicorn calls while the guest runs: accesses to what is not memory, interrupts, faults.

Called in the thread that runs the CPU, in the middle of an instruction. Nothing here may raise but
what a device callback raised.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from guestmap.accel.in_vain import InVain, Why
from guestmap.accel.types import SoftwareInterrupt
from guestmap.accel.unicorn.binding import uc_api, x86
from guestmap.accel.unicorn.device_access import port_functions, window_functions
from guestmap.accel.unicorn.elsewhere import Elsewhere
from guestmap.accel.unicorn.line_collector import LineCollector
from guestmap.accel.unicorn.sharing import SharedWrites
from guestmap.accel.unicorn.state import CS, PROTECTION
from guestmap.accel.unicorn.strings import Strings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.counters import Counters
    from guestmap.accel.exits import Exit
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.accel.unicorn.interrupts import Interrupts
    from guestmap.accel.unicorn.mapper import Mapper
    from guestmap.accel.unicorn.pieces import Piece
    from guestmap.accel.vcpu import InterruptObserver
    from guestmap.memory import AddressSpace

_UNMAPPED = (
    uc_api.UC_HOOK_MEM_READ_UNMAPPED
    | uc_api.UC_HOOK_MEM_WRITE_UNMAPPED
    | uc_api.UC_HOOK_MEM_FETCH_UNMAPPED
)


class Hooks:
    """The callbacks of one CPU.

    Args:
        cpu: the CPU.
        memory, io: what it sees.
        mapper: of its memory map.
        counters: what happens is counted there.
        end: ends its run.
        leave: makes it leave the guest, and be prepared before it goes on.
        observers: hear of INT n.

    Attributes:
        in_device: a device of the memory address space is being accessed.
        failure: what a device callback raised, for when the CPU has left.
        in_vain: what the guest did in vain.
        memory: what the CPU sees.
        hear_read: told of each read that is not one of memory: address, size, value; or None.
        lines: hands on what is written to a port by the line; None where nobody wants that.
        strings: goes on with string instructions; None where registers are not in place.
    """

    def __init__(
        self,
        cpu: Cpu,
        memory: AddressSpace,
        io: AddressSpace,
        mapper: Mapper,
        counters: Counters,
        end: Callable[[Exit], None],
        leave: Callable[[], None],
        observers: list[InterruptObserver],
    ) -> None:
        self._cpu = cpu
        self._uc: Any = cpu.uc
        self.memory = memory
        self._io = io
        self._mapper = mapper
        self._state = cpu.state
        self._counters = counters
        self._end = end
        self._leave = leave
        self._leaving = cpu.leaving
        self._internals = cpu.internals
        self._smm = cpu.smm
        self._observers = observers
        self.strings: Strings | None = None
        if cpu.internals is not None:
            self.strings = Strings(cpu, cpu.internals.state, self, counters)
        self.lines: LineCollector | None = None
        self.in_device = False
        self.failure: BaseException | None = None
        self.in_vain = InVain(self.instruction)
        self.hear_read: Callable[[int, int, int], None] | None = None
        self._apart: tuple[int, bytes, tuple[int, int]] | None = None

    def install(self, *, deliver: bool = True, everywhere: bool = True) -> None:
        """Hook what there is.

        Args:
            deliver: interrupts and exceptions too; else somebody else delivers them.
            everywhere: accesses at any address; else where there is no RAM alone.
        """
        uc = self._uc
        port_in, port_out = port_functions(
            self._io, self, self._counters, self._leaving.honour_after_port
        )
        uc.hook_add(uc_api.UC_HOOK_INSN, port_in, None, 1, 0, x86.UC_X86_INS_IN, guard=False)
        self._port_out = port_out
        self._out_hook = uc.hook_add(
            uc_api.UC_HOOK_INSN, port_out, None, 1, 0, x86.UC_X86_INS_OUT, guard=False
        )
        if deliver:
            self.interrupts.install()
        self._everywhere = everywhere
        self._shared = SharedWrites(uc, self._shared_write)
        self._elsewhere = Elsewhere(uc, {
            _UNMAPPED: self._unmapped,
            uc_api.UC_HOOK_MEM_WRITE_PROT: self._write_to_rom,
            uc_api.UC_HOOK_MEM_FETCH_PROT: self._fetch_from_device,
        })  # fmt: skip
        self._mapper.connect(*window_functions(self, self._counters), self._on_mapped)

    def _shared_write(self, address: int, size: int) -> None:
        if self._mapper.guest_wrote(address, size):
            self._leave()

    def _on_mapped(self, pieces: Collection[Piece]) -> None:
        if self._shared.watch(pieces):
            self._leave()
        if not self._everywhere:
            self._elsewhere.leave_out((each.start, each.end) for each in pieces if each.writable)

    # -- accesses --------------------------------------------------------------------------------

    def collect_lines(self, port: int, take: Callable[[bytes], None]) -> None:
        """Have bytes that are written to a port be taken several at a time; see :class:`Vcpu`."""
        if self._internals is not None:
            self.lines = LineCollector(
                self._internals, self._io, port, take, self._port_out, self.fail, self._counters
            )
            self._uc.hook_del(self._out_hook)

    def fail(self, error: BaseException) -> int:
        """Keep an error that a reading callback cannot let out: Unicorn needs a number."""
        if self.failure is None:
            self.failure = error
        self._uc.emu_stop()
        return 0

    def is_memory(self, address: int) -> bool:
        """Tell whether the CPU reads ``address`` straight from the host's memory."""
        return self._mapper.is_memory(address)

    def peek(self, address: int, size: int) -> int:
        """Return what is in memory."""
        return self.memory.load(address, size)

    def _unmapped(
        self, _uc: Any, _kind: int, address: int, _size: int, _value: int, _data: object
    ) -> bool:
        return self._mapper.open_window(address)

    def _fetch_from_device(
        self, _uc: Any, _kind: int, _address: int, _size: int, _value: int, _data: object
    ) -> bool:
        return True

    def _write_to_rom(
        self, _uc: Any, _kind: int, address: int, size: int, value: int, _data: object
    ) -> bool:
        if self._is_told_already(address, size, value):
            return True
        self._counters.rom_writes += 1
        if self._mapper.is_rom_device(address):
            self.in_device = True
            try:
                self.memory.store(address, size, value)
            finally:
                self.in_device = False
        else:
            self.in_vain.note(self.memory, Why.ROM, address, size, value, exact=True)
        return True

    def _is_told_already(self, address: int, size: int, value: int) -> bool:
        """Tell whether a byte is one of a write that was told as a whole just before.

        Unicorn takes an unaligned write apart, and tells of it and then of each of its bytes.
        """
        if size > 1:
            whole = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
            self._apart = (address, whole, self.instruction()) if address % size else None
            return False
        if self._apart is None:
            return False
        first, whole, where = self._apart
        at = address - first
        if 0 <= at < len(whole) and whole[at] == value & 0xFF and where == self.instruction():
            return True
        self._apart = None
        return False

    def instruction(self) -> tuple[int, int]:
        """Return CS and the instruction pointer, as far as Unicorn keeps them up to date.

        It does for each write to read-only memory; for a device's window it is where it was for
        something else before, at the latest where the block of code begins.
        """
        code = self._uc.reg_read(x86.UC_X86_REG_CS)
        inside = self._internals
        # The documented way tells 32 bits; it runs no guest that has more.
        pc = self._uc.reg_read(x86.UC_X86_REG_EIP) if inside is None else inside.state.pc
        return code, pc

    # -- interrupts and exceptions -----------------------------------------------------------------

    @cached_property
    def interrupts(self) -> Interrupts:
        """What delivers them, where the library does not."""
        from guestmap.accel.unicorn.interrupts import Interrupts

        return Interrupts(
            self._cpu, self, self._mapper, self._counters, end=self._end, leave=self._leave
        )

    def meets_return(self) -> bool:
        """Leave the guest, at an invalid instruction, where that is RSM; tell whether it is."""
        if not self._smm.meets_return():
            return False
        self._leave()
        self._leaving.honour()
        return True

    def watched_interrupt(self, vector: int) -> None:
        """Tell of an INT n in real mode that somebody else delivers."""
        try:
            self.tell_observers(vector)
        except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
            self.fail(error)

    def tell_observers(self, vector: int) -> None:
        """Tell of an INT n, for the loaded state, which is after the instruction."""
        state = self._state
        observers = [each for each, vectors in self._observers if vector in vectors]
        if observers:
            eax, ecx, edx, ebx = state.arguments()
            code, behind = state.segment(CS).selector, state.software_return or state.eip
            is_real = not state.control(0) & PROTECTION
            event = SoftwareInterrupt(vector, eax, ebx, ecx, edx, code, behind, is_real)
            for observer in observers:
                observer(event)
