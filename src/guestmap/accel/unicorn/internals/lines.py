"""A port whose bytes are collected, so that text written there calls Python once a line.

Firmware tells what it does a byte at a time, which is most of what it does at ports. Nobody sees a
line before its end, so nobody misses the bytes until then: a few instructions keep them.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING

from guestmap.accel.unicorn.internals.machine_code import (
    JB,
    JE,
    JNE,
    RET,
    MachineCode,
    jump,
    load,
    unless,
)

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 256
"""Bytes that are kept at most; the next one calls Python, as the end of a line does."""

_LIMIT_SHIFT = 32
"""The upper half of the count's cell says how many are kept: none, where all go to the port."""

_OUT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint32)
_COUNT = (1 << _LIMIT_SHIFT) - 1
_LINE_FEED = 0x0A


class CollectedLines:
    """The hook of OUT of one instance.

    Args:
        code: where it goes.
        port: the port.
        otherwise: called for all else, as Unicorn's hook of OUT is; it must not raise.

    Attributes:
        hook: the address of the hook.
    """

    def __init__(
        self, code: MachineCode, port: int, otherwise: Callable[[int, int, int, int], None]
    ) -> None:
        self._count = code.cell()
        self._text = (ctypes.c_ubyte * MOST)()
        self._otherwise = _OUT(otherwise)
        self.hook = code.put(self._code(port))

        self.collects = True

    @property
    def collects(self) -> bool:
        """Whether anything is kept; else all goes to the port."""
        return bool(self._count.value >> _LIMIT_SHIFT)

    @collects.setter
    def collects(self, collects: bool) -> None:
        limit = MOST if collects else 0
        self._count.value = self._count.value & _COUNT | limit << _LIMIT_SHIFT

    def take(self) -> bytes:
        """Return what was collected; nothing is, afterwards."""
        count = self._count.value & _COUNT
        if not count:
            return b""
        self._count.value &= ~_COUNT
        return bytes(self._text[:count])

    def _code(self, port: int) -> bytes:
        """Return the hook: ESI is the port, EDX the size, ECX the value."""
        leave = jump(ctypes.cast(self._otherwise, ctypes.c_void_p).value or 0)
        return b"".join((
            b"\x81\xfe", port.to_bytes(4, "little"), unless(JE, leave),  # cmp esi, port
            b"\x83\xfa\x01", unless(JE, leave),  # cmp edx, 1
            b"\x80\xf9", bytes((_LINE_FEED,)), unless(JNE, leave),  # cmp cl, line feed
            load("rax", ctypes.addressof(self._count)),
            b"\x44\x8b\x08",  # mov r9d, [rax]
            b"\x44\x3b\x48\x04", unless(JB, leave),  # cmp r9d, [rax + 4]
            b"\xff\x00",  # inc dword [rax]
            load("rax", ctypes.addressof(self._text)),
            b"\x42\x88\x0c\x08", RET,  # mov [rax + r9], cl
        ))  # fmt: skip
