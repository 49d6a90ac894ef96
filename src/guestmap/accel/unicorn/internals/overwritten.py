"""Pages that code was fetched from, and that are filled with something else since.

While translated code may be there, each store into a page is looked at (:mod:`~.stores`), which
takes ten times as long. Memory that a loader has been in, and that is somebody's data by now, would
stay that slow. What fills memory goes through it at an even pace: so a few instructions before the
function by which the library finds what is mapped at an address look out for :data:`STEPS` steps of
one width in a row. Then the CPU is asked to leave, and between two runs what was translated from
the page is dropped: it is data again, until code is fetched from it once more. A page that keeps
changing sides is left alone after :data:`CHANGES` times.
"""

from __future__ import annotations

import ctypes
from collections import Counter
from typing import TYPE_CHECKING

from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.internals.machine_code import (
    JAE,
    JB,
    JE,
    JNE,
    MachineCode,
    jump,
    load,
    unless,
)

if TYPE_CHECKING:
    from guestmap.accel.unicorn.internals.structures import Structures

STEPS = 16
STEP_BITS = 4
"""What is nearer than 16 bytes is no step."""

CHANGES = 3
_CODE, _IS_TOLD, _LEFT_ALONE = 1, 2, 0xFF
"""A page's byte."""

_TOLD = 3
"""Cells: the last step, its width, how many in a row, and a page's number and 1, or 0."""


class OverwrittenCode:
    """What looks out for such stores of one instance.

    Args:
        structures: of the instance.
        code: where it goes.
        table: address of the bytes, one for each page: 0 where there is no code.
        pages: how many there are.
        leave_flag: address of the byte that asks the CPU to leave.

    Raises:
        Refused: it cannot be.
    """

    def __init__(
        self, structures: Structures, code: MachineCode, table: int, pages: int, leave_flag: int
    ) -> None:
        if not structures.findings.find_mapping or not leave_flag:
            raise Refused("where what is mapped is looked for was not found")
        self._find = structures.library.function("find_memory_mapping")
        self._slot = ctypes.c_uint64.from_address(
            structures.instance + structures.findings.find_mapping
        )
        if self._slot.value != self._find:
            raise Refused("somebody else finds what is mapped")
        self._bytes = (ctypes.c_uint8 * pages).from_address(table)
        self._cells = (ctypes.c_uint64 * 4)()
        self._changes: Counter[int] = Counter()
        cells = ctypes.addressof(self._cells)
        self._own = code.put(_look(self._find, table, pages, cells, leave_flag))

    def install(self) -> None:
        """Begin."""
        self._slot.value = self._own

    def remove(self) -> None:
        """End it."""
        self._slot.value = self._find

    @property
    def page(self) -> int | None:
        """The number of a page that is being filled; None where there is none."""
        told = self._cells[_TOLD]
        return told - 1 if told else None

    def is_data(self, page: int) -> None:
        """Note that there is no translated code of a page any more, and nothing in the TLB."""
        self._changes[page] += 1
        self._bytes[page] = 0 if self._changes[page] <= CHANGES else _LEFT_ALONE
        self._cells[_TOLD] = 0

    def forget(self) -> None:
        """Forget what was told: there is no translated code at all."""
        self._cells[_TOLD] = 0
        self._changes.clear()


def _look(find: int, table: int, pages: int, cells: int, leave_flag: int) -> bytes:
    """Return the code: RDI is the instance, RSI the address; both stay."""
    go_on = jump(find)
    another = (
        b"\x48\x89\x51\x08\x48\xc7\x41\x10\x00\x00\x00\x00" + go_on  # [rcx + 8] = rdx; [...] = 0
    )
    return b"".join((
        b"\x48\x89\xf0\x48\xc1\xe8", bytes((STEP_BITS,)),  # mov rax, rsi; shr rax, 4
        load("rcx", cells),
        b"\x48\x89\xc2\x48\x2b\x11", unless(JNE, go_on),  # mov rdx, rax; sub rdx, [rcx]
        b"\x48\x89\x01\x48\x39\x51\x08", unless(JE, another),  # [rcx] = rax; cmp [rcx + 8], rdx
        b"\x48\xff\x41\x10",  # inc qword [rcx + 16]
        b"\x48\x83\x79\x10", bytes((STEPS,)), unless(JAE, go_on),  # cmp qword [rcx + 16], steps
        b"\x48\xc1\xe8", bytes((12 - STEP_BITS,)),  # shr rax, 8: the page
        b"\x48\x3d", pages.to_bytes(4, "little"), unless(JB, go_on),  # cmp rax, pages
        load("rdx", table), b"\x48\x01\xc2",  # add rdx, rax
        b"\x80\x3a", bytes((_CODE,)), unless(JE, go_on),  # cmp byte [rdx], 1
        b"\x48\x83\x79\x18\x00", unless(JE, go_on),  # cmp qword [rcx + 24], 0
        b"\xc6\x02", bytes((_IS_TOLD,)),  # mov byte [rdx], 2
        b"\x48\xff\xc0\x48\x89\x41\x18",  # inc rax; mov [rcx + 24], rax
        load("rcx", leave_flag), b"\xc6\x01\x01", go_on,  # mov byte [rcx], 1
    ))  # fmt: skip
