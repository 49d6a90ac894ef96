"""Fast stores, with self-modifying code seen all the same.

A store to RAM is fast once the library takes the mark "code may have been translated from here" off
its TLB entry. It does so after the first store, unless the entry is executable - which, where
addresses are not translated, each is - or a memory hook covers the address. But it takes no heed
of code that was translated through *another* linear address of the page: with the mark gone, a
store through a writable alias leaves stale code behind.

So EXEC is decided for each TLB entry, by what is known of the physical page:

* no code was ever fetched from it: a data access gets an entry without EXEC, and stores are fast;
* code was: a data access keeps EXEC where it has it, and a writable entry without is made to be
  looked up anew at each store: the mark is there each time;
* the first fetch notes that, and flushes the TLB first: no fast entry is left.

What is known is a table of one byte a page. The function that makes TLB entries is reached through
the library's jump table, one for the process; the table is each instance's own, and is found by
way of the instance's class, in which the function that fills the TLB is replaced by a few
instructions that note the kind of access. Instances without are left alone.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
from typing import TYPE_CHECKING

from guestmap.accel.unicorn.internals.library import Refused
from guestmap.accel.unicorn.internals.machine_code import (
    JB,
    JE,
    JNE,
    MachineCode,
    jump,
    load,
    u64,
    unless,
)

if TYPE_CHECKING:
    from guestmap.accel.unicorn.internals.structures import Structures

PHYSICAL_BITS = 40
"""Of the CPU model; beyond, nothing is changed, and nothing can be."""

_PAGE_BITS = 12
PAGES = 1 << PHYSICAL_BITS - _PAGE_BITS
_SIGNATURE = b"guestmap stores\x01"
_NOT_ASKED = 0xFF
_OWNER = int.from_bytes(b"guestmap", "little")
"""Before each function of ours that fills a TLB. The library has several of its own."""

_NOTE = b"\x88\x08"  # mov [rax], cl
_CODE_SEEN = b"\x41\xc6\x02\x01"  # mov byte [r10], 1
_WITHOUT_EXEC = b"\x41\x83\xe0\xfb"  # and r8d, ~4
_ANEW_EACH_TIME = b"\x41\x83\xc8\x40"  # or r8d, 40h
_EXEC, _WRITE = b"\x41\xf6\xc0\x04", b"\x41\xf6\xc0\x02"  # test r8b, 4; test r8b, 2
_NO_CODE = b"\x41\x80\x3a\x00"  # cmp byte [r10], 0
_FETCH = b"\x41\x80\x3b\x02"  # cmp byte [r11], 2
# push rdi, rsi, rdx, rcx, r8, r9, and align; and back
_SAVE = b"\x57\x56\x52\x51\x41\x50\x41\x51\x48\x83\xec\x08"
_RESTORE = b"\x48\x83\xc4\x08\x41\x59\x41\x58\x59\x5a\x5e\x5f"


class FastStores:
    """The table of one instance, and what keeps it.

    Attributes:
        table: the address of one byte for each page, 0 where code was never fetched.

    Raises:
        Refused: the host has no address space for the table, or somebody else was here before.
    """

    def __init__(self, structures: Structures, code: MachineCode) -> None:
        self._structures = structures
        library, findings = structures.library, structures.findings
        if not findings.tlb_fill:
            raise Refused("where TLB entries are made was not found")
        self._fill = library.function("x86_cpu_tlb_fill")
        try:
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
            self._table = mmap.mmap(-1, PAGES, flags=flags)
        except OSError as error:
            raise Refused(f"no room for a table of {PAGES} bytes: {error.strerror}") from error
        cell = ctypes.c_uint64.from_address(structures.cpu + findings.cpu_class)
        self._slots = [ctypes.c_uint64.from_address(cell.value + at) for at in findings.tlb_fill]
        if any(slot.value != self._fill for slot in self._slots):
            raise Refused("somebody else fills the TLB")
        _hook_set_page(structures)
        self.table = ctypes.addressof(ctypes.c_uint8.from_buffer(self._table))
        self._access, pointer = code.cell(), code.cell()
        pointer.value = self.table
        access = ctypes.addressof(self._access)
        self._stops = code.cell()
        self._flush = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(library.function("tlb_flush"))
        stop = jump(library.function("cpu_loop_exit_restore"))
        go_on = jump(self._fill)
        self._own = 16 + code.put(
            u64(_OWNER), u64(access), load("rax", access), _NOTE,
            load("rax", ctypes.addressof(self._stops)), b"\x80\x38\x00", unless(JNE, go_on),
            b"\x45\x84\xc9", unless(JE, go_on),  # test r9b, r9b: nothing more than a question
            b"\x48\x8b\x44\x24\x08\x48\x85\xc0", unless(JNE, go_on),  # mov rax, [rsp + 8]
            b"\x48\x89\xc6", stop,  # mov rsi, rax: where in the block that is
        )  # fmt: skip

    @property
    def asked(self) -> bool:
        """Whether the function of the instance has been called since the last time."""
        asked = self._access.value & 0xFF != _NOT_ASKED
        self._access.value = _NOT_ASKED
        return asked

    def stop_before_access(self, stop: bool) -> None:
        """Have a run that is asked to end do so before the next access of memory, or not any more.

        As a page fault does: the instruction is done again, from its start.
        """
        self._stops.value = stop
        if stop:
            self._flush(self._structures.cpu)

    def install(self) -> None:
        """Begin; the TLB must be empty."""
        self._access.value = _NOT_ASKED
        for slot in self._slots:
            slot.value = self._own

    def remove(self) -> None:
        """End it; the TLB must be flushed."""
        for slot in self._slots:
            slot.value = self._fill

    def has_code(self, page: int) -> bool:
        """Tell whether code was fetched from a physical page, by its number, as far as is known."""
        return page >= PAGES or bool(self._table[page])

    def forget(self) -> None:
        """Forget where code was: there is no translated code, and the TLB is empty."""
        self._table.madvise(mmap.MADV_DONTNEED)


def _hook_set_page(structures: Structures) -> None:
    """Put our code before the library's function that makes TLB entries, once in a process."""
    library, findings = structures.library, structures.findings
    original = library.function("tlb_set_page_with_attrs")
    slot = ctypes.c_uint64.from_address(library.base + findings.set_page)
    if slot.value != original:
        before = slot.value - len(_SIGNATURE)
        if library.holds(slot.value):  # not bound yet, in the library's own table
            pass
        elif ctypes.string_at(before, len(_SIGNATURE)) == _SIGNATURE:
            return
        else:
            raise Refused("somebody else makes TLB entries")
    slot.value = _lasting(_SIGNATURE + _set_page(structures, original)) + len(_SIGNATURE)


def _set_page(structures: Structures, original: int) -> bytes:
    """Return the code: RDI is CPUState, RDX the physical address, R8D the access rights.

    R11 is the instance's own function for filling the TLB; before that are our mark and the address
    of the kind of access, which the table's address follows. R10 is the page's byte.
    """
    library, findings = structures.library, structures.findings
    go_on = jump(original)
    data = _branch(_NO_CODE, JNE, _WITHOUT_EXEC + go_on)
    data += _branch(_EXEC, JNE, _branch(_WRITE, JE, _ANEW_EACH_TIME)) + go_on
    fetch = _branch(_NO_CODE, JNE, _first_fetch(library.function("tlb_flush"))) + go_on
    return b"".join((
        b"\x4c\x8b\x9f", struct.pack("<i", findings.cpu_class),  # mov r11, [rdi + class]
        b"\x4d\x8b\x9b", struct.pack("<i", findings.tlb_fill[0]),  # mov r11, [r11 + tlb_fill]
        load("rax", _OWNER),
        b"\x49\x39\x43\xf0", unless(JE, go_on),  # cmp [r11 - 16], rax: an instance without a table
        b"\x48\x89\xd0\x48\xc1\xe8\x0c",  # mov rax, rdx; shr rax, 12
        b"\x48\x3d", struct.pack("<i", PAGES), unless(JB, go_on),  # cmp rax, pages; jb
        b"\x4d\x8b\x5b\xf8",  # mov r11, [r11 - 8]
        b"\x4d\x8b\x53\x08\x49\x01\xc2",  # mov r10, [r11 + 8]; add r10, rax
        _branch(_FETCH, JNE, fetch),
        data,
    ))  # fmt: skip


def _first_fetch(flush: int) -> bytes:
    return _CODE_SEEN + _SAVE + load("rax", flush) + b"\xff\xd0" + _RESTORE


def _branch(test: bytes, opcode: int, code: bytes) -> bytes:
    """Return a test and, unless the jump is taken, the code."""
    return test + unless(opcode, code)


def _lasting(code: bytes) -> int:
    """Put code where it stays for as long as the process; return its address."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = (
        ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long
    )  # fmt: skip
    access = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
    at = libc.mmap(None, mmap.PAGESIZE, access, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    if at in {None, ctypes.c_void_p(-1).value}:
        raise Refused("the host gives no memory to put code in")
    ctypes.memmove(at, code, len(code))
    return int(at)
