"""The library that Unicorn's binding has loaded: its functions, its jump table, its identity.

The ELF structures are those of the System V gABI, chapters 4 and 5, and of the x86-64 psABI.
"""

from __future__ import annotations

import ctypes
import struct
from functools import cached_property
from pathlib import Path
from typing import Any

_PT_DYNAMIC, _PT_NOTE = 2, 4
_DT_PLTRELSZ, _DT_SYMTAB, _DT_JMPREL = 2, 6, 23
_NT_GNU_BUILD_ID = 3
_PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")
_ELF_64_LITTLE = b"\x7fELF\x02\x01"
_SUFFIX = "_x86_64"
"""What the library appends to each name of its QEMU for this target."""


class Refused(Exception):  # noqa: N818 - a build of the library that does not do is no error
    """Something that this build of the library does not do; the message says what."""


class _DlInfo(ctypes.Structure):
    _fields_ = (
        ("dli_fname", ctypes.c_char_p),
        ("dli_fbase", ctypes.c_void_p),
        ("dli_sname", ctypes.c_char_p),
        ("dli_saddr", ctypes.c_void_p),
    )


class Library:
    """The library in this process.

    Attributes:
        handle: what the binding calls it through.
        path: its file.
        base: the address that it is loaded at.

    Raises:
        Refused: the binding does not show it, or it is no 64-bit ELF file.
    """

    def __init__(self) -> None:
        try:
            from guestmap.accel.unicorn.binding import uclib

            start = ctypes.cast(uclib.uc_open, ctypes.c_void_p)
            find = ctypes.CDLL(None).dladdr
        except (ImportError, AttributeError, OSError, TypeError) as error:
            raise Refused(f"the library's address is not to be had: {error}") from error
        self.handle: Any = uclib
        found = _DlInfo()
        if not find(start, ctypes.byref(found)) or not found.dli_fbase:
            raise Refused("the library's address is not to be had")
        self.base: int = found.dli_fbase
        self.path = Path((found.dli_fname or b"").decode("utf-8", "surrogateescape"))
        if ctypes.string_at(self.base, 6) != _ELF_64_LITTLE:
            raise Refused("the library is not a 64-bit ELF file")

    def function(self, name: str) -> int:
        """Return the address of a function of the library's QEMU.

        Raises:
            Refused: it is not exported.
        """
        return self.address(name + _SUFFIX)

    def address(self, name: str) -> int:
        """Return the address of an exported function, by its whole name.

        Raises:
            Refused: it is not exported.
        """
        try:
            address = ctypes.cast(getattr(self.handle, name), ctypes.c_void_p).value
        except AttributeError:
            address = None
        if not address:
            raise Refused(f"the library does not export {name}")
        return address

    @cached_property
    def identity(self) -> str:
        """What tells this build from others: its build ID, else a hash of the file."""
        for kind, at, size in self._segments():
            if kind == _PT_NOTE and (build := build_id(ctypes.string_at(self.base + at, size))):
                return f"build-{build.hex()}"
        import hashlib  # loads a library of cryptography, for something rare

        try:
            return f"sha256-{hashlib.sha256(self.path.read_bytes()).hexdigest()}"
        except OSError as error:
            raise Refused(f"cannot read {self.path}: {error.strerror}") from error

    def jump_slot(self, name: str) -> int:
        """Return the offset from :attr:`base` of the slot through which the library calls itself.

        Raises:
            Refused: it calls this function of its QEMU in another way.
        """
        dynamic = next((s for s in self._segments() if s[0] == _PT_DYNAMIC), None)
        if dynamic is None:
            raise Refused("the library has no dynamic section")
        _, at, size = dynamic
        entries = dict(struct.iter_unpack("<qQ", ctypes.string_at(self.base + at, size & -16)))
        try:
            symbols = self._absolute(entries[_DT_SYMTAB])
            table = ctypes.string_at(self._absolute(entries[_DT_JMPREL]), entries[_DT_PLTRELSZ])
        except KeyError:
            raise Refused("the library has no jump table") from None
        wanted = self.function(name) - self.base
        for slot, info, _ in struct.iter_unpack("<QQq", table):
            if _u64(symbols + 24 * (info >> 32) + 8) == wanted:
                return int(slot)
        raise Refused(f"the library does not call {name} through its jump table")

    def holds(self, address: int) -> bool:
        """Tell whether an address is in the library."""
        return any(0 <= address - self.base - at < size for _, at, size in self._segments())

    def _segments(self) -> list[tuple[int, int, int]]:
        """Return type, address from the base, and bytes of each program header."""
        header = ctypes.string_at(self.base, 64)
        table, size, count = (
            struct.unpack_from("<Q", header, 32)[0], *struct.unpack_from("<HH", header, 54)
        )  # fmt: skip
        found = []
        for n in range(count):
            raw = ctypes.string_at(self.base + table + n * size, _PROGRAM_HEADER.size)
            kind, _, _, address, _, _, in_memory, _ = _PROGRAM_HEADER.unpack(raw)
            found.append((kind, address, in_memory))
        return found

    def _absolute(self, address: int) -> int:
        """Return an address of the dynamic section, which loaders may have relocated or not."""
        return address if address >= self.base else address + self.base


def _u64(address: int) -> int:
    return ctypes.c_uint64.from_address(address).value


def build_id(notes: bytes) -> bytes:
    """Return the build ID in a note segment (ELF gABI, "Note Section"); b"" where none is."""
    at = 0
    while at + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from("<III", notes, at)
        name = notes[at + 12 : at + 12 + name_size]
        start = at + 12 + (name_size + 3 & -4)
        if kind == _NT_GNU_BUILD_ID and name == b"GNU\0":
            return notes[start : start + size]
        at = start + (size + 3 & -4)
    return b""
