"""How a CPU that is inside the guest is made to leave: between two blocks of code, never within.

``uc_emu_stop`` from another thread is not safe. The library looks for the request after each
memory access too, and then goes back to the start of the block: what the block did up to there
is done twice (an XCHG with memory, a PUSH, a device access). A request made by a hook on the start
of a block is honoured right there, before any of it. So whoever wants the CPU to leave sets a flag,
and such a hook looks at it.

There are millions of blocks in a second. Where it can be, the hook is a few machine instructions;
elsewhere it is a Python function, and the guest slower.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct
from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import uc_api, uclib

if TYPE_CHECKING:
    from collections.abc import Callable

_FLAG_AT = 0x800
_PAGE = 0x1000
_ALL = (1, 0)  # a range whose end is before its begin: every address
_CALL = ctypes.CFUNCTYPE(None)


class Leaving:
    """A request to one CPU.

    Args:
        uc: the Unicorn instance, before it has executed anything.
        native: False: use the Python function in any case.

    Attributes:
        native: whether the hook is machine instructions.
        whole_blocks: 1 has a run end between two blocks in any case; None where there is no such
            thing.
        stop_before_access: has a run that is asked to end do so before the next access of memory,
            where addresses are translated.
        late: whether the request was met in a port write, a little before the CPU left.
        between_blocks: what :meth:`call` has called; it must not raise.

    A CPU that has left on a request has obeyed it (:attr:`obeyed`); one that has left without has
    executed HLT. After a port write both can be (:attr:`late`).
    """

    def __init__(self, uc: Any, *, native: bool = True) -> None:
        self._uc = uc
        self._flag = ctypes.c_uint8(0)
        self._obeyed = ctypes.c_uint8(0)
        self.late = False
        self.whole_blocks: ctypes.c_uint8 | None = None
        self.stop_before_access: Callable[[bool], None] = lambda _stop: None
        self.between_blocks: Callable[[], None] = lambda: None
        self._callback = _CALL(lambda: self.between_blocks())
        self._due = ctypes.c_uint8(0)
        self._page: mmap.mmap | None = None
        self._unhook_instructions: Callable[[], object] | None = None
        self.native = native and self._hook_natively()
        if not self.native:
            uc.hook_add(uc_api.UC_HOOK_BLOCK, self._block)

    def ask(self) -> None:
        """Have the CPU leave before the next block; from any thread, and from hooks."""
        self._flag.value = 1

    def call(self) -> None:
        """Have a function called before the next block, by the CPU itself; from hooks.

        Nothing of it is in flight there: registers may be changed. Where the hook is a Python
        function, nothing is called.
        """
        self._due.value = 1

    def look_at_each_instruction(self) -> None:
        """Leave before the next instruction, not the next block; code must be translated anew."""
        if self._unhook_instructions is not None:
            return
        if self.native and (hook := self._add_natively(uc_api.UC_HOOK_CODE)) is not None:
            self._unhook_instructions = partial(_remove_natively, self._uc, hook)
        else:
            handle = self._uc.hook_add(uc_api.UC_HOOK_CODE, self._block)
            self._unhook_instructions = partial(self._uc.hook_del, handle)

    def look_at_each_block(self) -> None:
        """Leave before a block, as at first."""
        if self._unhook_instructions is not None:
            self._unhook_instructions()
            self._unhook_instructions = None

    def end_within_blocks(self, may: bool) -> None:
        """Let hooks on instructions end a run where they are; code must be translated anew."""
        if self.whole_blocks is not None:
            self.whole_blocks.value = not may

    def forget(self) -> None:
        """Take it back: the CPU has left, and nobody asks at the same time."""
        self._flag.value = 0
        self._obeyed.value = 0
        if self.late:
            self.stop_before_access(False)
        self.late = False

    @property
    def flag_address(self) -> int:
        """Where the request is, for machine code; the byte behind it says "obeyed"; 0: nowhere."""
        return ctypes.addressof(self._flag) if self.native else 0

    @property
    def obeyed(self) -> bool:
        """Whether the CPU left because of the request."""
        return bool(self._obeyed.value)

    def honour(self) -> None:
        """Leave at once if that was asked for; from a hook of an interrupt.

        An interrupt is between two blocks: a guest whose every instruction faults begins none.
        """
        if self._flag.value:
            self._obeyed.value = 1
            self._uc.emu_stop()

    def honour_after_port(self) -> None:
        """Do the same from a hook of a port write, which is in the middle of a block.

        The library goes on with the next instruction, but it looks for the request only at the next
        memory access or at the end of the block: what needs neither is done before, even a HLT.
        """
        if self._flag.value:
            self.late = True
            self.stop_before_access(True)
            self._uc.emu_stop()

    def _block(self, _uc: Any, _address: int, _size: int, _data: object) -> None:
        if self._flag.value:
            self._obeyed.value = 1
            self._uc.emu_stop()

    def _hook_natively(self) -> bool:
        if not hasattr(os, "uname") or os.uname().machine != "x86_64":
            return False
        try:
            stop = ctypes.cast(uclib.uc_emu_stop, ctypes.c_void_p).value
            access = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
            page = mmap.mmap(-1, _PAGE, prot=access)
        except (ImportError, AttributeError, OSError):
            return False
        base = ctypes.addressof(ctypes.c_uint8.from_buffer(page))
        callback = ctypes.cast(self._callback, ctypes.c_void_p).value or 0
        code = _instructions(base + _FLAG_AT, stop or 0, callback)
        page[: len(code)] = code
        self._code = base
        if self._add_natively(uc_api.UC_HOOK_BLOCK) is None:
            return False
        self._page = page  # must outlive the instance
        self._flag = ctypes.c_uint8.from_buffer(page, _FLAG_AT)
        self._obeyed = ctypes.c_uint8.from_buffer(page, _FLAG_AT + 1)
        self._due = ctypes.c_uint8.from_buffer(page, _FLAG_AT + 2)
        return True

    def _add_natively(self, kind: int) -> int | None:
        """Hook the machine instructions; return what removes that, or None."""
        hook = ctypes.c_size_t()
        failed = uclib.uc_hook_add(
            self._uc._uch, ctypes.byref(hook), kind, ctypes.c_void_p(self._code), None,
            *map(ctypes.c_uint64, _ALL),
        )  # fmt: skip
        return None if failed else hook.value


def _remove_natively(uc: Any, hook: int) -> None:
    uclib.uc_hook_del(uc._uch, ctypes.c_size_t(hook))


def _instructions(flag: int, stop: int, callback: int) -> bytes:
    """Return the hook for x86-64: its first argument, the instance, is the one of ``stop``.

    The byte at ``flag`` asks; the one behind it says that the CPU has obeyed; the third asks for a
    call of ``callback``, after which all of them are looked at again.
    """
    begin = b"".join((
        b"\x48\xb8", struct.pack("<Q", flag),  # mov rax, flag
        b"\x83\x38\x00",  # cmp dword [rax], 0
        b"\x75\x01",  # jne over the return
        b"\xc3",  # ret
        b"\x80\x38\x00",  # cmp byte [rax], 0
    ))  # fmt: skip
    call = b"".join((
        b"\xc6\x40\x02\x00",  # mov byte [rax + 2], 0
        b"\x57",  # push rdi, which has the stack aligned, too
        b"\x48\xb8", struct.pack("<Q", callback),  # mov rax, callback
        b"\xff\xd0",  # call rax
        b"\x5f",  # pop rdi
    ))  # fmt: skip
    over_call = b"\x75" + bytes((len(call) + 2,))  # jne over it and the jump behind it
    again = b"\xeb" + bytes((0x100 - len(begin) - len(over_call) - len(call) - 2,))
    leave = b"".join((
        b"\xc6\x40\x01\x01",  # mov byte [rax + 1], 1
        b"\x48\xb8", struct.pack("<Q", stop),  # mov rax, stop
        b"\xff\xe0",  # jmp rax
    ))  # fmt: skip
    return begin + over_call + call + again + leave
