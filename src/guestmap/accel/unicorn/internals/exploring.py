"""Finds out by experiment where this build of the library keeps what.

Never by a version or a known offset: a mark is written through the library's interface, or the CPU
is made to do something, and whatever shows it in exactly one place is it. Reads wherever a number
that looks like a pointer points to; to be run in a process of its own
(:mod:`guestmap.accel.unicorn.internals.known`).
"""

from __future__ import annotations

import ctypes
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from guestmap.accel.unicorn.binding import UcError, uc_api, x86
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.internals import trials
from guestmap.accel.unicorn.internals.findings import MSRS, Findings
from guestmap.accel.unicorn.internals.library import Library, Refused
from guestmap.accel.unicorn.internals.structures import address_of
from guestmap.accel.unicorn.layout import Layout, open_cpu, probe
from guestmap.accel.unicorn.uc import Uc
from guestmap.accel.unicorn.window import InterruptWindow
from guestmap.base import UnsupportedError

_MSR_MARK = 0x1A2B3C4D5E6F0718
_MSR_MARKS = {"FMASK": 0x1A2B, "SYSENTER_CS": 0x1A2B, "EFER": 1}  # what they keep all of
_INSTANCE, _CLASS, _CPU, _CPU_PREFIX = 0x400, 0x400, 0x10000, 0x400
_INSTANCE_FLAGS = 0x1000
_MARK = 0x5A17C0DE
_MEMORY = 0x10000
_T = TypeVar("_T")
_HALT_AT, _STOP_AT = 0x1001, 0x1100


def explore(library: Library, cpu_model: int) -> Findings:
    """Return what there is.

    Raises:
        Refused: not even the CPU's structures can be told for sure.
    """
    layout = probe(cpu_model)
    if layout is None:
        raise Refused("a saved context does not show where the registers are")
    try:
        return _Explorer(library, layout, cpu_model).findings()
    except UcError as error:
        raise Refused(f"Unicorn: {error}") from error


class _Explorer:
    def __init__(self, library: Library, layout: Layout, cpu_model: int) -> None:
        self._library = library
        self._layout = layout
        self._uc = open_cpu(cpu_model)
        self._uc.mem_map(0, _MEMORY)
        self._instance = address_of(self._uc)
        self._ranges = _writable_ranges()
        self._cpu = self._registers = 0

    def findings(self) -> Findings:
        """Look for everything; what is no more than useful may be missing."""
        cpu, pointer = self._find_cpu()
        found = Findings(
            layout=self._layout, cpu=cpu, mode=self._find_mode(), pointer=pointer,
            registers=self._registers - self._cpu, halted=self._find_halted(),
        )  # fmt: skip
        for part, look in (
            ("stores", self._stores), ("system calls", self._msrs), ("interrupts", self._request),
            ("overwritten code", self._mapping),
            ("whole blocks", self._whole_blocks),
        ):  # fmt: skip
            try:
                found = replace(found, **look())
            except (Refused, UcError) as error:
                found.refused[part] = str(error)
        return found

    def _find_cpu(self) -> tuple[int, int]:
        """CPUState is what an instance points to and what points, in itself, to a marked EAX."""
        self._uc.reg_write(x86.UC_X86_REG_EAX, _MARK)
        found = []
        for at in range(0, _INSTANCE, 8):
            cpu = _u64(self._instance + at)
            if self._readable(cpu, _CPU):
                for pointer in range(0, _CPU_PREFIX, 8):
                    registers = _u64(cpu + pointer)
                    if cpu < registers < cpu + _CPU and self._holds(registers, _MARK):
                        found.append((at, pointer, cpu, registers))
        cpu_at, pointer, self._cpu, self._registers = _one(found, "CPUState")
        return cpu_at, pointer

    def _find_mode(self) -> int:
        """The one word that tells an instance in 64-bit mode from one in 32-bit mode."""
        other = Uc(uc_api.UC_ARCH_X86, uc_api.UC_MODE_64)
        words = [
            at for at in range(0, 0x40, 4)
            if _u32(self._instance + at) == uc_api.UC_MODE_32
            and _u32(address_of(other) + at) == uc_api.UC_MODE_64
        ]  # fmt: skip
        return _one(words, "the mode")

    def _find_halted(self) -> int:
        """The word that is 1 after each HLT and 0 after a stop."""
        uc = self._uc
        uc.mem_write(_HALT_AT, b"\xf4")  # hlt
        uc.mem_write(_STOP_AT, b"\x90\x90\xeb\xfe")  # nop; nop; jmp $
        snapshots = []
        for start, count in ((_HALT_AT, 0), (_STOP_AT, 1), (_HALT_AT, 0)):
            uc.emu_start(start, 0, count=count)
            snapshots.append(self._snapshot())
        words = [
            at for at in range(0, len(snapshots[0]), 4)
            if [_word(each, at) for each in snapshots] == [1, 0, 1]
        ]  # fmt: skip
        return _one(words, "what HLT changes")

    def _stores(self) -> dict[str, Any]:
        """The class is what CPUState points to and what points to the function that fills TLBs."""
        fill = self._library.function("x86_cpu_tlb_fill")
        found = []
        for at in range(0, self._registers - self._cpu, 8):
            target = _u64(self._cpu + at)
            if self._readable(target, _CLASS):
                slots = tuple(n for n in range(0, _CLASS, 8) if _u64(target + n) == fill)
                found += [(at, slots)] if slots else []
        cpu_class, tlb_fill = _one(found, "the CPU's class")
        slot = self._library.jump_slot("tlb_set_page_with_attrs")
        return {"cpu_class": cpu_class, "tlb_fill": tlb_fill, "set_page": slot}

    def _mapping(self) -> dict[str, Any]:
        """The one pointer of an instance to the function that finds what is mapped."""
        find = self._library.function("find_memory_mapping")
        found = [at for at in range(0, _INSTANCE, 8) if _u64(self._instance + at) == find]
        return {"find_mapping": _one(found, "what finds what is mapped")}

    def _msrs(self) -> dict[str, Any]:
        """The one place that a register's mark changes; each is as before afterwards."""
        found = {}
        for name, number in MSRS.items():
            before, old = self._uc.msr_read(number), self._content()
            self._uc.msr_write(number, before ^ _MSR_MARKS.get(name, _MSR_MARK))
            new = self._content()
            self._uc.msr_write(number, before)
            words = [n for n in range(0, len(old) & -8, 4) if _word(old, n) != _word(new, n)]
            found[number] = _one([n for n in words if n - 4 not in words], f"the register {name}")
        return {"msrs": found}

    def _content(self) -> bytes:
        return ctypes.string_at(self._registers, self._layout.size - self._layout.registers)

    def _whole_blocks(self) -> dict[str, Any]:
        """The byte that has a run not end in the middle of a block.

        It stands before a byte that becomes 1 as an instance is used for the first time; each such
        is tried, the last one first.
        """
        other = Uc(uc_api.UC_ARCH_X86, uc_api.UC_MODE_32)
        at = address_of(other)
        before = ctypes.string_at(at, _INSTANCE_FLAGS)
        other.mem_map(0, 0x1000)
        after = ctypes.string_at(at, _INSTANCE_FLAGS)
        other.hook_add(
            uc_api.UC_HOOK_INSN, lambda *_: other.emu_stop(), None, 1, 0, x86.UC_X86_INS_OUT
        )
        other.mem_write(0, trials.STOPPED_IN_A_BLOCK)
        for n in range(_INSTANCE_FLAGS - 1, 0, -1):
            if (before[n], after[n], after[n - 1]) != (0, 1, 0):
                continue
            cell = ctypes.c_uint8.from_address(at + n - 1)
            ends = []
            for cell.value in (0, 1, 0):
                other.ctl_flush_tb()
                other.reg_write(x86.UC_X86_REG_EBX, 0x800)
                other.emu_start(0, _MEMORY)
                ends.append(other.reg_read(x86.UC_X86_REG_EIP))
            if ends[1] == trials.END_OF_THE_BLOCK and ends[0] == ends[2] < ends[1]:
                return {"whole_blocks": n - 1}
        raise Refused("what has a run end between two blocks was not found")

    def _request(self) -> dict[str, Any]:
        """The one word of CPUState that a pending virtual interrupt changes."""
        try:
            window = InterruptWindow(self._uc, self._layout, lambda: 0)
        except UnsupportedError as error:
            raise Refused(str(error)) from error
        guest = BlobState(self._uc, self._layout)
        snapshots = [self._snapshot()]
        for change in (window.arm, window.disarm):
            change(guest)
            snapshots.append(self._snapshot())
        idle, armed, after = snapshots
        words = [
            at for at in range(0, len(idle), 4) if _word(idle, at) == _word(after, at) == 0
            and _word(armed, at)
        ]  # fmt: skip
        at = _one(words, "the interrupt request")
        return {"request": at, "virtual_request": _word(armed, at)}

    def _snapshot(self) -> bytes:
        return ctypes.string_at(self._cpu, self._registers - self._cpu)

    def _readable(self, address: int, size: int) -> bool:
        if address & 7:
            return False
        return any(low <= address and address + size <= high for low, high in self._ranges)

    def _holds(self, address: int, value: int) -> bool:
        return self._readable(address, 8) and _u64(address) == value


def _writable_ranges() -> list[tuple[int, int]]:
    try:
        lines = Path("/proc/self/maps").read_text().splitlines()
    except OSError as error:
        raise Refused(f"cannot read /proc/self/maps: {error.strerror}") from error
    ranges = []
    for words in map(str.split, lines):
        if words[1].startswith("rw"):
            low, high = words[0].split("-")
            ranges.append((int(low, 16), int(high, 16)))
    return ranges


def _one(found: list[_T], what: str) -> _T:
    if len(found) != 1:
        raise Refused(f"{what} shows in {len(found)} places")
    return found[0]


def _u64(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def _u32(address: int) -> int:
    return ctypes.c_uint32.from_address(address).value


def _word(content: bytes, at: int) -> int:
    return int.from_bytes(content[at : at + 4], "little")
