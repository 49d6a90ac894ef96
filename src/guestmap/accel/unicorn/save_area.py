"""What an SMI saves of a CPU, where, and with what the handler begins; and RSM, the way back.

AMD64 Architecture Programmer's Manual, volume 2, section 10.2: the save area (table 10-1) and the
state at the handler's start (10.2.4), as QEMU has them: the revision says that SMBASE can be moved,
but not that an I/O instruction is done again, and RSM checks nothing.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from guestmap.accel.types import Segment
from guestmap.accel.unicorn import modes
from guestmap.accel.unicorn.state import CS, DS, ES, FS, GDTR, GS, IDTR, LDTR, SS, TR

if TYPE_CHECKING:
    from guestmap.accel.unicorn.blob_state import BlobState
    from guestmap.accel.unicorn.cpu import Cpu
    from guestmap.memory import AddressSpace

_ENTRY = 0x8000
_AREA, _SIZE = 0xFE00, 0x200
"""From SMBASE: where the state is saved, and its bytes."""

_SEGMENTS = {
    ES: 0xFE00, CS: 0xFE10, SS: 0xFE20, DS: 0xFE30, FS: 0xFE40, GS: 0xFE50,
    LDTR: 0xFE70, TR: 0xFE90,
}  # fmt: skip
_TABLES = {GDTR: 0xFE60, IDTR: 0xFE80}
_EFER, _REVISION, _SMBASE = 0xFED0, 0xFEFC, 0xFF00
_CONTROL = {4: ("<I", 0xFF48), 3: ("<Q", 0xFF50), 0: ("<I", 0xFF58)}
_DEBUG = {7: 0xFF60, 6: 0xFF68}
_RFLAGS, _RIP = 0xFF70, 0xFF78
_GENERAL = [0xFFF8 - 8 * index for index in range(16)]

_MOVES_SMBASE = 1 << 17
_REVISION_ID = 0x64 | _MOVES_SMBASE
_ATTRIBUTES = 0xF0FF  # of a descriptor, bits 40 to 55, without the four of the limit
_TASK_BUSY = 1 << 9
_FLAT = 0x00809300  # a data segment with a limit in pages
_CR0_AT_ENTRY = ~(1 | 1 << 2 | 1 << 3 | 1 << 31)  # PE, EM, TS and PG are cleared
_DR7_AT_ENTRY = 0x400


def save(cpu: Cpu, memory: AddressSpace, base: int) -> None:
    """Save the state and go to the handler.

    Args:
        cpu: it must not run, and its registers be shown whole.
        memory: what it sees in system management mode.
        base: SMBASE.
    """
    state = modes.whole(cpu)
    state.load()
    area = _Area(memory.read(base + _AREA, _SIZE))
    _fill(area, cpu, state)
    area.put("<I", _SMBASE, base)
    memory.write(base + _AREA, bytes(area.data))
    flat = Segment(0, 0, 0xFFFFFFFF, _FLAT)
    segments = dict.fromkeys((ES, SS, DS, FS, GS), flat)
    segments[CS] = Segment(base >> 4 & 0xFFFF, base, 0xFFFFFFFF, _FLAT)
    control = {0: state.control(0) & _CR0_AT_ENTRY, 4: 0}
    modes.set_debug(cpu, {7: _DR7_AT_ENTRY})
    modes.go_on(cpu, segments=segments, control=control, efer=0, rflags=2, rip=_ENTRY)


def _fill(area: _Area, cpu: Cpu, state: BlobState) -> None:
    for index, at in (_SEGMENTS | _TABLES).items():
        each = state.segment(index)
        if index == TR and not each.selector:  # as after a reset, which is another one here
            each = each._replace(flags=each.flags | _TASK_BUSY)
        area.put("<I", at + 4, each.limit)
        area.put("<Q", at + 8, each.base)
        if index in _SEGMENTS:
            area.put("<H", at, each.selector)
            area.put("<H", at + 2, each.flags >> 8 & _ATTRIBUTES)
    for index, at in enumerate(_GENERAL):
        area.put("<Q", at, state.wide_general(index))
    for index, (form, at) in _CONTROL.items():
        area.put(form, at, state.wide_control(index) & _mask(form))
    for index, value in modes.debug(cpu, _DEBUG).items():
        area.put("<I", _DEBUG[index], value & 0xFFFFFFFF)
    area.put("<I", _RFLAGS, state.eflags)
    area.put("<Q", _RIP, state.pc)
    area.put("<Q", _EFER, modes.msr(cpu, modes.EFER))
    area.put("<I", _REVISION, _REVISION_ID)


def restore(cpu: Cpu, memory: AddressSpace, base: int) -> int:
    """Go on from the saved state; return SMBASE from now on. See :func:`save`."""
    area = _Area(memory.read(base + _AREA, _SIZE))
    segments = {}
    for index, at in (_SEGMENTS | _TABLES).items():
        selector = area.get("<H", at) if index in _SEGMENTS else 0
        flags = (area.get("<H", at + 2) & _ATTRIBUTES) << 8 if index in _SEGMENTS else 0
        segments[index] = Segment(selector, area.get("<Q", at + 8), area.get("<I", at + 4), flags)
    modes.set_debug(cpu, {index: area.get("<I", at) for index, at in _DEBUG.items()})
    modes.go_on(
        cpu, general=[area.get("<Q", at) for at in _GENERAL], segments=segments,
        efer=area.get("<Q", _EFER),
        control={index: area.get(form, at) for index, (form, at) in _CONTROL.items()},
        rflags=area.get("<I", _RFLAGS), rip=area.get("<Q", _RIP),
    )  # fmt: skip
    return area.get("<I", _SMBASE) if area.get("<I", _REVISION) & _MOVES_SMBASE else base


def _mask(form: str) -> int:
    return (1 << 8 * struct.calcsize(form)) - 1


class _Area:
    """The save area's bytes, by their distance from SMBASE."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)

    def get(self, form: str, at: int) -> int:
        value: int = struct.unpack_from(form, self.data, at - _AREA)[0]
        return value

    def put(self, form: str, at: int, value: int) -> None:
        struct.pack_into(form, self.data, at - _AREA, value)
