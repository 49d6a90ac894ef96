"""Guest-virtual addresses, as a debugger reads them: no rights are asked for, nothing is changed.

Page tables as in the Intel SDM, volume 3, chapter 4: 32-bit paging with 4 MiB pages, PAE with 2 MiB
pages, and four levels with 1 GiB pages, which is what the CPUs here have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel import Register
from guestmap.memory import MemTxResult

if TYPE_CHECKING:
    from guestmap.accel import Vcpu
    from guestmap.memory import AddressSpace

_CR0_PAGING, _CR4_PSE, _CR4_PAE = 1 << 31, 1 << 4, 1 << 5
_PRESENT, _LARGE = 1, 1 << 7
_PAGE = 0x1000
_PAGE_SHIFT, _TOP_SHIFT = 12, 39
_LINEAR_BITS = 0xFFFFFFFF
_FRAME = 0xF_FFFF_FFFF_F000


class LinearReader:
    """Reads memory as the guest's program sees it at this moment; the CPU must be outside.

    Args:
        vcpu: whose registers say where the page tables are.
        memory: what the CPU sees.
        long_mode: the CPU is in long mode: four levels.

    Raises:
        UnsupportedError: there is no CPU.
    """

    def __init__(self, vcpu: Vcpu, memory: AddressSpace, *, long_mode: bool = False) -> None:
        self._memory = memory
        self._long_mode = long_mode
        self._paging = bool(vcpu.read_register(Register.CR0) & _CR0_PAGING)
        self._tables = vcpu.read_register(Register.CR3)
        self._features = vcpu.read_register(Register.CR4)

    def read(self, address: int, length: int) -> bytes | None:
        """Return ``length`` bytes, or None: a page, or what should be behind it, is not there."""
        data = bytearray(length)
        view = memoryview(data)
        done = 0
        while done < length:
            at = address + done
            size = min(length - done, _PAGE - at % _PAGE)
            physical = self.physical(at)
            if physical is None:
                return None
            if self._memory.read_into(physical, view[done : done + size]) != MemTxResult.OK:
                return None
            done += size
        return bytes(data)

    def physical(self, address: int) -> int | None:
        """Return the guest-physical address, or None where the page is not present."""
        if not self._paging:
            return address
        if self._long_mode:
            return self._four_levels(address)
        address &= _LINEAR_BITS
        return self._three_levels(address) if self._features & _CR4_PAE else self._two(address)

    def _two(self, address: int) -> int | None:
        entry = self._entry((self._tables & 0xFFFFF000) + (address >> 22) * 4, 4)
        if entry is None:
            return None
        if entry & _LARGE and self._features & _CR4_PSE:
            high = (entry & 0x1FE000) << 19
            return high | entry & 0xFFC00000 | address & 0x3FFFFF
        entry = self._entry((entry & 0xFFFFF000) + (address >> 12 & 0x3FF) * 4, 4)
        return None if entry is None else entry & 0xFFFFF000 | address % _PAGE

    def _three_levels(self, address: int) -> int | None:
        entry = self._entry((self._tables & 0xFFFFFFE0) + (address >> 30) * 8, 8)
        if entry is None:
            return None
        entry = self._entry((entry & _FRAME) + (address >> 21 & 0x1FF) * 8, 8)
        if entry is None:
            return None
        if entry & _LARGE:
            return entry & _FRAME & ~0x1FFFFF | address & 0x1FFFFF
        entry = self._entry((entry & _FRAME) + (address >> 12 & 0x1FF) * 8, 8)
        return None if entry is None else entry & _FRAME | address % _PAGE

    def _four_levels(self, address: int) -> int | None:
        table = self._tables & _FRAME
        for shift in (39, 30, 21, 12):
            entry = self._entry(table + (address >> shift & 0x1FF) * 8, 8)
            if entry is None:
                return None
            within = (1 << shift) - 1
            if shift == _PAGE_SHIFT or (entry & _LARGE and shift < _TOP_SHIFT):
                return entry & _FRAME & ~within | address & within
            table = entry & _FRAME
        raise AssertionError("the last level is always a page")

    def _entry(self, at: int, size: int) -> int | None:
        entry = self._memory.load(at, size)
        return entry if entry & _PRESENT else None
