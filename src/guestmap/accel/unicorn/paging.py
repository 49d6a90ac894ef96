"""Linear addresses, for the memory accesses that interrupt delivery makes in the CPU's place.

Page tables as in the Intel SDM, volume 3, chapter 4: 32-bit paging with 4 MiB pages, PAE with 2 MiB
pages, and long mode's four levels where they begin below 4 GiB. The accesses are the supervisor's.
A closed A20 gate masks every physical address, also those of page table entries: it is outside of
the CPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.unicorn.state import PAGING, WRITE_PROTECT

if TYPE_CHECKING:
    from guestmap.accel.unicorn.state import CpuState
    from guestmap.memory import AddressSpace

PAGE_FAULT = 14

_PRESENT, _WRITABLE, _LARGE = 1, 2, 1 << 7
_FAULT_PROTECTION, _FAULT_WRITE = 1, 2
_CR4_PSE, _CR4_PAE = 1 << 4, 1 << 5
_PAGE_BITS, _LARGE_AT = 12, (21, 30)
_ALL_BITS = (1 << 64) - 1
_FRAME_MASK = 0xFFFFFFFFFF000


class GuestFault(Exception):  # noqa: N818 - a fault is what the CPU's manual calls it
    """The guest must get an exception in place of what was going on."""

    def __init__(self, vector: int, error_code: int, address: int | None = None) -> None:
        super().__init__(f"fault {vector}, error code {error_code:#x}")
        self.vector = vector
        self.error_code = error_code
        self.address = address


class LinearMemory:
    """Memory behind the page tables of one CPU."""

    def __init__(self, state: CpuState, memory: AddressSpace) -> None:
        self._state = state
        self._memory = memory

    def see(self, memory: AddressSpace) -> None:
        """Look at another address space from now on."""
        self._memory = memory

    def load(self, address: int, size: int) -> int:
        """Return ``size`` bytes at a linear address.

        Raises:
            GuestFault: a page is not there.
        """
        data = b"".join(
            self._memory.read(physical, length)
            for physical, length in self._pieces(address, size, write=False)
        )
        return int.from_bytes(data, "little")

    def write(self, address: int, data: bytes) -> None:
        """Write at a linear address: all of it, or nothing.

        Raises:
            GuestFault: a page is not there, or read-only.
        """
        done = 0
        for physical, length in self._pieces(address, len(data), write=True):
            self._memory.write(physical, data[done : done + length])
            done += length

    def _pieces(self, address: int, size: int, *, write: bool) -> list[tuple[int, int]]:
        pieces, done = [], 0
        while done < size:
            at = address + done & (_ALL_BITS if self._state.long_mode else 0xFFFFFFFF)
            length = min(size - done, 0x1000 - (at & 0xFFF))
            pieces.append((self.physical(at, write=write), length))
            done += length
        return pieces

    def physical(self, address: int, *, write: bool) -> int:
        """Return the physical address behind a linear one.

        Raises:
            GuestFault: the page is not there, or read-only where it shall be written.
        """
        if not self._state.control(0) & PAGING:
            return self._gated(address)
        if self._state.long_mode:
            return self._walk_long(address, write)
        if self._state.control(4) & _CR4_PAE:
            return self._walk_pae(address, write)
        return self._walk(address, write)

    def _walk(self, address: int, write: bool) -> int:
        directory = self._state.control(3) & 0xFFFFF000
        entry = self._entry(directory + (address >> 22) * 4, 4, address, write)
        writable = entry & _WRITABLE
        if entry & _LARGE and self._state.control(4) & _CR4_PSE:
            frame = (entry & 0xFFC00000) | (entry & 0x1FE000) << 19
            return self._checked(frame | address & 0x3FFFFF, writable, address, write)
        table = entry & 0xFFFFF000
        entry = self._entry(table + (address >> 12 & 0x3FF) * 4, 4, address, write)
        page = entry & 0xFFFFF000
        return self._checked(page | address & 0xFFF, writable & entry, address, write)

    def _walk_pae(self, address: int, write: bool) -> int:
        pointers = self._state.control(3) & 0xFFFFFFE0
        entry = self._entry(pointers + (address >> 30) * 8, 8, address, write)
        directory = entry & _FRAME_MASK
        entry = self._entry(directory + (address >> 21 & 0x1FF) * 8, 8, address, write)
        writable = entry & _WRITABLE
        if entry & _LARGE:
            page = entry & _FRAME_MASK & ~0x1FFFFF
            return self._checked(page | address & 0x1FFFFF, writable, address, write)
        table = entry & _FRAME_MASK
        entry = self._entry(table + (address >> 12 & 0x1FF) * 8, 8, address, write)
        page = entry & _FRAME_MASK
        return self._checked(page | address & 0xFFF, writable & entry, address, write)

    def _walk_long(self, address: int, write: bool) -> int:
        entry, writable = self._state.control(3), _WRITABLE
        for shift in (39, 30, 21, 12):
            table, index = entry & _FRAME_MASK, address >> shift & 0x1FF
            entry = self._entry(table + index * 8, 8, address, write)
            writable &= entry
            if shift == _PAGE_BITS or (entry & _LARGE and shift in _LARGE_AT):
                break
        inside = (1 << shift) - 1
        page = entry & _FRAME_MASK & ~inside
        return self._checked(page | address & inside, writable, address, write)

    def _entry(self, at: int, size: int, address: int, write: bool) -> int:
        entry = self._memory.load(self._gated(at), size)
        if not entry & _PRESENT:
            raise GuestFault(PAGE_FAULT, _FAULT_WRITE if write else 0, address)
        return entry

    def _checked(self, physical: int, writable: int, address: int, write: bool) -> int:
        if write and not writable & _WRITABLE and self._state.control(0) & WRITE_PROTECT:
            raise GuestFault(PAGE_FAULT, _FAULT_PROTECTION | _FAULT_WRITE, address)
        return self._gated(physical)

    def _gated(self, physical: int) -> int:
        """Return where an address comes out behind the A20 gate."""
        return physical & (self._state.a20_mask | ~0xFFFFFFFF)
