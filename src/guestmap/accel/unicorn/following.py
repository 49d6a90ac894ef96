"""Following a CPU that Unicorn executes: one hook, called as each block of code begins.

Nearly every call finds nothing new, so it looks at four fields and goes.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from guestmap.accel.following import FRAME, CpuLook
from guestmap.accel.unicorn.binding import uc_api
from guestmap.accel.unicorn.blob_state import BlobState
from guestmap.accel.unicorn.layout import SEGMENT_SIZE
from guestmap.accel.unicorn.state import DS, ESP, IF, SS
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.following import CpuFollower
    from guestmap.accel.unicorn.cpu import Cpu

_CS32, _SS32, _IN_SHADOW, _CS64 = 1 << 4, 1 << 5, 1 << 3, 1 << 15
"""Bits of hflags; the shadow is that of the instruction after STI or MOV SS."""
_MODE = _CS32 | _SS32 | _CS64
_BASE = 8  # of a segment, within its fields
_REAL_LIMIT = 0xFFFF


class FollowingHook:
    """Tells a follower of one CPU.

    Args:
        cpu: the CPU.
        follower: who hears.

    Raises:
        UnsupportedError: this build of Unicorn does not let its state be seen.
    """

    def __init__(self, cpu: Cpu, follower: CpuFollower) -> None:
        state = cpu.state
        if not isinstance(state, BlobState):
            raise UnsupportedError(
                "this build of Unicorn does not let hidden segment state be seen"
            )
        self._cpu, self._state, self._follower = cpu, state, follower
        hooks: list[tuple[Callable[..., None], int, int]] = [(self._block(), 1, 0)]
        hooks += [(self._reached, *place) for place in follower.places]
        for callback, first, last in hooks:
            cpu.uc.hook_add(uc_api.UC_HOOK_BLOCK, callback, None, first, last)

    def _reached(self, _uc: Any, address: int, _size: int, _data: object) -> None:
        self._follower.reached(address, in_smm=self._cpu.smm.active)

    def _block(self) -> Callable[..., None]:
        """Return what is called as each block begins; what it remembers is its own."""
        layout, load, data = self._state.layout, self._state.load, self._state.data
        start = layout.registers + 8 * ESP
        unpack = _fields(
            (start, 8), (layout.eflags, 4), (layout.hflags, 4),
            (layout.segments + SS * SEGMENT_SIZE + _BASE, 8),
        ).unpack_from  # fmt: skip
        last_esp = last_key = last_base = low = high = 0
        tell = self._tell

        def block(_uc: Any, address: int, _size: int, _data: object) -> None:
            nonlocal last_esp, last_key, last_base, low, high
            load()
            esp, flags, hflags, base = unpack(data, start)
            key = hflags & _MODE | flags & IF
            if key == last_key and base == last_base and -FRAME < esp - last_esp < FRAME:
                last_esp = esp
                if esp < low:
                    low = esp
                elif esp > high:
                    high = esp
                return
            if hflags & _IN_SHADOW and not (key ^ last_key) & IF:
                return  # between MOV SS and MOV SP there is no stack
            before = tuple(_linear(each, last_base, last_key) for each in (last_esp, low, high))
            last_esp, last_key, last_base, low, high = esp, key, base, esp, esp
            tell(address, key, _linear(esp, base, key), before)

        return block

    def _tell(self, address: int, key: int, stack: int, before: tuple[int, ...]) -> None:
        bits = 64 if key & _CS64 else 32 if key & _CS32 else 16
        is_big = bits == 16 and self._state.segment(DS).limit > _REAL_LIMIT
        self._follower.looked(CpuLook(
            address, bits, is_big, self._cpu.smm.active, bool(key & IF), stack, *before
        ))  # fmt: skip


def _linear(esp: int, base: int, key: int) -> int:
    if key & _CS64:
        return esp
    return (base + (esp if key & _SS32 else esp & 0xFFFF)) & 0xFFFFFFFF


def _fields(*fields: tuple[int, int]) -> struct.Struct:
    """Return what reads fields of 4 and 8 bytes at once, given as offset and size in order."""
    form, end = "<", fields[0][0]
    for offset, size in fields:
        form += f"{offset - end}x{'I' if size == 4 else 'Q'}"
        end = offset + size
    return struct.Struct(form)
