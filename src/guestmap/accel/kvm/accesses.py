"""What the guest's exits ask of the address spaces: port accesses, and those that are no slot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.debug import WatchKind
from guestmap.accel.kvm.abi import ExitCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.exits import Exit
    from guestmap.accel.in_vain import InVain
    from guestmap.accel.kvm.run_page import RunPage
    from guestmap.accel.kvm.slot_table import SlotTable
    from guestmap.memory import AddressSpace

_SCALARS = {1, 2, 4, 8}
_IO, _MMIO = int(ExitCode.IO), int(ExitCode.MMIO)  # numbers compare faster, and each exit does


class VcpuAccesses:
    """Carries out the accesses of one vCPU.

    Args:
        page: of the vCPU.
        table: the VM's slots: a write to one of them that comes out is one to read-only memory.
        memory, io: the address spaces.
        counters: what is done is counted there.
        in_vain: told of each access of memory before it is done.
        instruction: returns CS and the instruction pointer; of a write, where the vCPU goes on.

    Attributes:
        memory: what the vCPU sees.
        smm_memory: the same in system management mode; None without.
        hear: told of each access of memory: where it is seen, what is done, address, size, value;
            a write before it is done, a read after it. None while nobody watches.
        stop: how the run ends, as soon as the instruction is done; None where it goes on.
    """

    def __init__(
        self,
        page: RunPage,
        table: SlotTable,
        memory: AddressSpace,
        io: AddressSpace,
        counters: Counters,
        in_vain: InVain,
        instruction: Callable[[], tuple[int, int]],
    ) -> None:
        self.memory = memory
        self.smm_memory: AddressSpace | None = None
        self.hear: Callable[[AddressSpace, WatchKind, int, int, int], None] | None = None
        self.stop: Exit | None = None
        self._page = page
        self._table = table
        self._io = io
        self._counters = counters
        self._in_vain = in_vain
        self._instruction = instruction

    def carry_out(self, reason: int) -> bool:
        """Carry out the access that the guest waits for; False where it waits for none."""
        if reason == _IO:
            self._ports()
        elif reason == _MMIO:
            self._mmio()
        else:
            return False
        return True

    def _ports(self) -> None:
        """Carry out string accesses element by element, as the CPU would."""
        page, counters = self._page, self._counters
        is_write, size, port, times, first = page.port_io()
        for where in range(first, first + times * size, size):
            if is_write:
                counters.port_writes += 1
                self._io.store(port, size, page.element(where, size))
            else:
                counters.port_reads += 1
                page.answer_element(where, size, self._io.load(port, size))

    def _mmio(self) -> None:
        address, data, length, is_write = self._page.mmio()
        memory, counters = self.memory, self._counters
        if self.smm_memory is not None and self._page.in_smm:
            memory = self.smm_memory
        if is_write:
            live = next(self._table.overlapping(address, address + 1), None)
            if live is None or live.slot.guarded:
                counters.mmio_writes += 1
            else:
                counters.rom_writes += 1
            data = data[:length]
            value = int.from_bytes(data, "little")
            self._in_vain.look(memory, address, length, value, self._instruction)
            if self.hear is not None:
                self.hear(memory, WatchKind.WRITE, address, length, value)
            if length in _SCALARS:
                memory.store(address, length, value)
            else:  # string instructions are cut at page borders, to any length
                memory.write(address, data)
            return
        counters.mmio_reads += 1
        self._in_vain.look(memory, address, length, None, self._instruction)
        if length in _SCALARS:
            data = memory.load(address, length).to_bytes(length, "little")
        else:
            data = memory.read(address, length)
        if self.hear is not None:
            value = int.from_bytes(data, "little")
            self.hear(memory, WatchKind.READ, address, length, value)
        self._page.answer_mmio(data)
