"""The structures of one living instance, where they were found (:mod:`~.findings`)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from guestmap.accel.unicorn.binding import x86
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.internals.findings import Findings
from guestmap.accel.unicorn.internals.library import Library, Refused

_ALL_FLAGS = 0xFFFFFFFF


class Structures:
    """What can be reached of one instance.

    Attributes:
        library, findings: what the rest follows from.
        instance, cpu, registers: addresses of ``uc_struct``, CPUState and CPUX86State.
        mode: what a run takes its start address for: 4 for 32 bits, 8 for 64.
        halted: 1 after HLT.

    Raises:
        Refused: they are not where they should be.
    """

    def __init__(self, uc: Any, library: Library, findings: Findings) -> None:
        self.library, self.findings = library, findings
        self.instance = address_of(uc)
        self.cpu: int = _cell(ctypes.c_uint64, self.instance + findings.cpu).value
        self.registers: int = self.cpu + findings.registers
        self._check(uc)
        self.mode: ctypes.c_uint32 = _cell(ctypes.c_uint32, self.instance + findings.mode)
        self.halted: ctypes.c_uint32 = _cell(ctypes.c_uint32, self.cpu + findings.halted)

    def _check(self, uc: Any) -> None:
        pointer = _cell(ctypes.c_uint64, self.cpu + self.findings.pointer).value
        mark = self.registers >> 8 & 0xFFFFFFFF  # another one for each instance
        before = uc.reg_read(x86.UC_X86_REG_EAX)
        uc.reg_write(x86.UC_X86_REG_EAX, mark)
        shown = pointer == self.registers and self.register(0).value == mark
        uc.reg_write(x86.UC_X86_REG_EAX, before)
        if not shown:
            raise Refused("the CPU's structures are not where they were found before")

    def register(self, index: int) -> ctypes.c_uint64:
        """Return the cell of a general register, 64 bits."""
        return self.field(self.findings.layout.registers + 8 * index)

    def field(self, offset: int) -> ctypes.c_uint64:
        """Return the cell of 64 bits at an offset of the layout."""
        cell: ctypes.c_uint64 = _cell(ctypes.c_uint64, self.address_of(offset))
        return cell

    def narrow_field(self, offset: int) -> ctypes.c_uint32:
        """Return the cell of 32 bits at an offset of the layout."""
        cell: ctypes.c_uint32 = _cell(ctypes.c_uint32, self.address_of(offset))
        return cell

    def request(self) -> tuple[ctypes.c_uint32, int]:
        """Return the cell of pending requests, and the bit of a virtual interrupt."""
        cell: ctypes.c_uint32 = _cell(ctypes.c_uint32, self.cpu + self.findings.request)
        return cell, self.findings.virtual_request

    def whole_blocks(self) -> ctypes.c_uint8:
        """Return the cell that has a run end between two blocks alone."""
        cell: ctypes.c_uint8 = _cell(ctypes.c_uint8, self.instance + self.findings.whole_blocks)
        return cell

    def gate(self) -> Callable[[int, int], None]:
        """Return what opens (1) and closes (0) the A20 gate of a CPU.

        Raises:
            Refused: the library does not export it.
        """
        address = self.library.function("x86_cpu_set_a20")
        return ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int)(address)

    def address_of(self, offset: int) -> int:
        """Return the address of a field, by its offset in a context as the layout has it."""
        return self.registers + offset - self.findings.layout.registers

    def msr(self, number: int) -> ctypes.c_uint64:
        """Return the cell of a model specific register."""
        cell: ctypes.c_uint64 = _cell(ctypes.c_uint64, self.registers + self.findings.msrs[number])
        return cell


class LiveState(BlobState):
    """The CPU's registers themselves: a change is there at once."""

    def __init__(self, structures: Structures) -> None:
        self.layout = layout = structures.findings.layout
        self._structures = structures
        start = structures.registers - layout.registers
        area = (ctypes.c_ubyte * layout.size).from_address(start)
        self.data = memoryview(area).cast("B")
        self._read_flags = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(
            structures.library.function("helper_read_eflags")
        )
        self._write_flags = ctypes.CFUNCTYPE(
            None, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
        )(structures.library.function("helper_write_eflags"))

    def load(self) -> None:
        """Do nothing: there is no copy."""

    def save(self) -> None:
        """Forget the exception that was being delivered."""
        self.forget_exception()

    def image(self) -> bytes:
        """Return a copy of everything."""
        return bytes(self.data)

    def restore(self, image: bytes) -> None:
        """Make everything as it was; what stands before the registers is not theirs."""
        first = self.layout.registers
        self.data[first:] = image[first:]

    @property
    def pc(self) -> int:
        """The instruction pointer, 64 bits in long mode."""
        return self._u64(self.layout.eip)

    @property
    def eflags(self) -> int:
        """All flags."""
        flags: int = self._read_flags(self._structures.registers)
        return flags & 0xFFFFFFFF

    @eflags.setter
    def eflags(self, value: int) -> None:
        self._write_flags(self._structures.registers, value | 2, _ALL_FLAGS)


def address_of(uc: Any) -> int:
    """Return the address of an instance (``uc_struct``)."""
    return ctypes.cast(uc._uch, ctypes.c_void_p).value or 0


def _cell(kind: Any, address: int) -> Any:
    return kind.from_address(address)
