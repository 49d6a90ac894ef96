"""A few machine instructions of our own (x86-64, System V calling convention) in this process.

What runs millions of times a second cannot be Python, and what the library may leave by a jump out
of the middle (longjmp) must not be.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from typing import Any

from guestmap.accel.unicorn.internals.library import Refused

_SIZE = 0x2000
_CODE_AT = 0x1000
"""Where code begins. Data has its own page: a write near code makes a CPU drop what it decoded."""

_ALL = (1, 0)  # a range whose end is before its begin: every address


class MachineCode:
    """An area for code and data; it must outlive what may jump to it.

    Raises:
        Refused: another kind of host, or one that lets nobody write code.
    """

    def __init__(self, handle: Any) -> None:
        if (host := os.uname().machine) != "x86_64":
            raise Refused(f"the host is no x86-64 but {host}")
        access = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        try:
            self._area = mmap.mmap(-1, _SIZE, prot=access)
        except OSError as error:
            raise Refused(f"the host gives no memory to put code in: {error.strerror}") from error
        self._handle = handle
        self.base = ctypes.addressof(ctypes.c_uint8.from_buffer(self._area))
        self._used = _CODE_AT
        self._data = 0

    def put(self, *parts: bytes) -> int:
        """Add code; return its address."""
        code = b"".join(parts)
        at = self._used
        if at + len(code) > _SIZE:
            raise Refused("the area for code is full")
        self._area[at : at + len(code)] = code
        self._used = at + len(code) + 15 & ~15
        return self.base + at

    def cell(self) -> ctypes.c_uint64:
        """Return 8 bytes of data, all 0."""
        self._data += 8
        return ctypes.c_uint64.from_buffer(self._area, self._data - 8)

    def table(self, size: int) -> ctypes.Array[ctypes.c_uint8]:
        """Return so many bytes of data, all 0."""
        self._data += size
        return (ctypes.c_uint8 * size).from_buffer(self._area, self._data - size)

    def hook(self, uc: Any, kind: int, address: int, *instruction: int) -> int:
        """Make Unicorn call code at each event of a kind, at all addresses; return the handle.

        Args:
            uc: the instance.
            kind: one of ``UC_HOOK_...``.
            address: the code.
            instruction: which one, for ``UC_HOOK_INSN``.
        """
        handle = ctypes.c_size_t()
        failed = self._handle.uc_hook_add(
            uc._uch, ctypes.byref(handle), kind, ctypes.c_void_p(address), None,
            *map(ctypes.c_uint64, _ALL), *map(ctypes.c_int, instruction),
        )  # fmt: skip
        if failed:
            raise Refused(f"Unicorn refuses a hook: error {failed}")
        return handle.value

    def unhook(self, uc: Any, hook: int) -> None:
        """Take a hook back."""
        self._handle.uc_hook_del(uc._uch, ctypes.c_size_t(hook))


def u64(value: int) -> bytes:
    """Return 8 bytes."""
    return struct.pack("<Q", value)


def load(register: str, value: int) -> bytes:
    """Return ``mov register, value`` with 64 bits."""
    opcode = {"rax": 0xB8, "rcx": 0xB9, "rdx": 0xBA, "rsi": 0xBE, "rdi": 0xBF}
    return bytes((0x48, opcode[register])) + u64(value)


def call(address: int) -> bytes:
    """Return a call; RAX is lost."""
    return load("rax", address) + b"\xff\xd0"


def jump(address: int) -> bytes:
    """Return a jump; RAX is lost."""
    return load("rax", address) + b"\xff\xe0"


def unless(jump_opcode: int, code: bytes) -> bytes:
    """Return a short conditional jump (its opcode) over ``code``, and the code."""
    return bytes((jump_opcode, len(code))) + code


JE, JNE, JB, JAE = 0x74, 0x75, 0x72, 0x73
RET = b"\xc3"
ALIGN, UNALIGN = b"\x48\x83\xec\x08", b"\x48\x83\xc4\x08"
"""``sub rsp, 8`` and ``add rsp, 8``: a function is entered with a stack that is off by 8."""
