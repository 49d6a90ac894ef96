"""An instance of Unicorn: its C interface (``unicorn/unicorn.h``), as much as the engine uses.

Hooks are called with what the library gives them: first the instance's address (of which those of
ports and windows get the lowest byte alone), and numbers. An exception ends the run, and is raised
by :meth:`Uc.emu_start`.
"""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from guestmap.accel.unicorn.binding import (
    I64,
    INT,
    SIZE,
    U32,
    U64,
    P,
    check,
    uc_api,
    uclib,
    x86,
)
from guestmap.accel.unicorn.uc_registers import Msr, UcContext, UcRegisters

if TYPE_CHECKING:
    from collections.abc import Callable

_UC = ctypes.c_uint8  # of the instance's address, which nobody needs: small numbers cost less
_READ, _WRITE = (
    ctypes.CFUNCTYPE(U64, _UC, U32, ctypes.c_uint, U64),
    ctypes.CFUNCTYPE(None, _UC, U32, ctypes.c_uint, U64, U64),
)
_ACCESS = (P, INT, U64, INT, I64, P)
_INVALID, _ACCESSED = ctypes.CFUNCTYPE(ctypes.c_bool, *_ACCESS), ctypes.CFUNCTYPE(None, *_ACCESS)
_ACCESSES = uc_api.UC_HOOK_MEM_READ | uc_api.UC_HOOK_MEM_WRITE
_CODE = ctypes.CFUNCTYPE(None, P, U64, U32, P)
_HOOKS: dict[int, Any] = {
    uc_api.UC_HOOK_INTR: ctypes.CFUNCTYPE(None, P, U32, P),
    uc_api.UC_HOOK_BLOCK: _CODE, uc_api.UC_HOOK_CODE: _CODE,
    uc_api.UC_HOOK_INSN_INVALID: ctypes.CFUNCTYPE(ctypes.c_bool, P, P),
}  # fmt: skip
_INSTRUCTIONS: dict[int, Any] = {
    x86.UC_X86_INS_SYSENTER: ctypes.CFUNCTYPE(None, P, P),
    x86.UC_X86_INS_IN: ctypes.CFUNCTYPE(U32, _UC, U32, INT),
    x86.UC_X86_INS_OUT: ctypes.CFUNCTYPE(None, _UC, U32, INT, U32),
}
"""Without the last argument, the user's data: there is none, and each costs time."""


def _shape(kind: int, instruction: int) -> Any:
    """Return the type of a hook's function."""
    if instruction:
        return _INSTRUCTIONS[instruction]
    return _HOOKS.get(kind) or (_ACCESSED if kind & _ACCESSES else _INVALID)


class Uc(UcRegisters):
    """An instance.

    Args:
        arch, mode: ``UC_ARCH_...`` and ``UC_MODE_...``.
    """

    def __init__(self, arch: int, mode: int) -> None:
        self._uch = P()
        self._hooks: dict[int, Any] = {}
        self._removed: list[Any] = []
        self._windows: dict[tuple[Any, Any], Any] = {}
        self._failure: BaseException | None = None
        self._close = uclib.uc_close
        check(uclib.uc_open(arch, mode, ctypes.byref(self._uch)))

    def __del__(self) -> None:
        """Free it."""
        if getattr(self, "_uch", None):
            self._close(self._uch)

    # -- running -----------------------------------------------------------------------------------

    def emu_start(self, begin: int, until: int, *, count: int = 0) -> None:
        """Run.

        Raises:
            UcError: the library gives up.
            Exception: what a hook raised.
        """
        self._removed.clear()
        status = uclib.uc_emu_start(self._uch, begin, until, 0, count)
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        check(status)

    def emu_stop(self) -> None:
        """Have a run end soon."""
        check(uclib.uc_emu_stop(self._uch))

    def _of_window(self, shape: Any, callback: Callable[..., Any], *, guard: bool) -> Any:
        """Return what the library can call; one for each callback, as windows come and go."""
        key = shape, callback
        if key not in self._windows:
            self._windows[key] = shape(self._guarded(callback) if guard else callback)
        return self._windows[key]

    def _guarded(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback; what it raises is kept for whoever called :meth:`emu_start`."""

        def guarded(*arguments: Any) -> Any:
            try:
                return callback(*arguments)
            except BaseException as error:  # noqa: BLE001 - raised again by emu_start()
                if self._failure is None:
                    self._failure = error
                uclib.uc_emu_stop(self._uch)
                return 0

        return guarded

    # -- memory ------------------------------------------------------------------------------------

    def mem_map(self, address: int, size: int, perms: int = uc_api.UC_PROT_ALL) -> None:
        """Map memory of the library's own."""
        check(uclib.uc_mem_map(self._uch, address, size, perms))

    def mem_map_ptr(self, address: int, size: int, perms: int, host: int) -> None:
        """Map the host's memory."""
        check(uclib.uc_mem_map_ptr(self._uch, address, size, perms, host))

    def mmio_map(
        self, address: int, size: int, read: Any, read_data: int | None, write: Any,
        write_data: int | None, *, guard: bool = True,
    ) -> None:  # fmt: skip
        """Map a window: what is accessed there calls functions.

        Args:
            address: where, in whole pages.
            size: bytes, in whole pages.
            read: called with the instance, offset, size and ``read_data``.
            read_data: a number.
            write: called with the instance, offset, size, value and ``write_data``.
            write_data: a number.
            guard: whether they may raise.
        """
        check(uclib.uc_mmio_map(
            self._uch, address, size, self._of_window(_READ, read, guard=guard), read_data,
            self._of_window(_WRITE, write, guard=guard), write_data,
        ))  # fmt: skip

    def mem_unmap(self, address: int, size: int) -> None:
        """Unmap."""
        check(uclib.uc_mem_unmap(self._uch, address, size))

    def mem_protect(self, address: int, size: int, perms: int) -> None:
        """Say what may be done with memory."""
        check(uclib.uc_mem_protect(self._uch, address, size, perms))

    def mem_read(self, address: int, size: int) -> bytearray:
        """Return memory."""
        data = ctypes.create_string_buffer(size)
        check(uclib.uc_mem_read(self._uch, address, data, size))
        return bytearray(data.raw)

    def mem_write(self, address: int, data: bytes) -> None:
        """Write memory."""
        check(uclib.uc_mem_write(self._uch, address, bytes(data), len(data)))

    # -- hooks -------------------------------------------------------------------------------------

    def hook_add(
        self, kind: int, callback: Callable[..., Any], _data: None = None, begin: int = 1,
        end: int = 0, instruction: int = 0, *, guard: bool = True,
    ) -> int:  # fmt: skip
        """Have a function be called; return the hook.

        Args:
            kind: ``UC_HOOK_...``.
            callback: what is called.
            begin: the first address.
            end: the last one; every address where it is before the first.
            instruction: which, of ``UC_HOOK_INSN``.
            guard: whether the callback may raise.
        """
        function = _shape(kind, instruction)(self._guarded(callback) if guard else callback)
        hook = SIZE()
        more = (INT(instruction),) if instruction else ()
        check(uclib.uc_hook_add(
            self._uch, ctypes.byref(hook), kind, function, None, begin, end, *more
        ))  # fmt: skip
        self._hooks[hook.value] = function
        return hook.value

    def hook_del(self, hook: int) -> None:
        """Take a hook back; its function may be running, and stays until the next run."""
        check(uclib.uc_hook_del(self._uch, hook))
        self._removed.append(self._hooks.pop(hook))

    # -- control -----------------------------------------------------------------------------------

    def ctl(self, control: int, direction: int, *arguments: Any) -> None:
        """Call ``uc_ctl``."""
        code = direction << 30 | len(arguments) << 26 | control
        check(uclib.uc_ctl(self._uch, code, *arguments))

    def _set_control(self, control: int, *arguments: Any) -> None:
        self.ctl(control, uc_api.UC_CTL_IO_WRITE, *arguments)

    def ctl_set_cpu_model(self, model: int) -> None:
        """Choose the CPU, before anything else."""
        self._set_control(uc_api.UC_CTL_CPU_MODEL, INT(model))

    def ctl_exits_enabled(self, enable: bool) -> None:
        """Have a run end at certain addresses alone, of which there are none."""
        self._set_control(uc_api.UC_CTL_UC_USE_EXITS, INT(enable))

    def ctl_flush_tb(self) -> None:
        """Drop all translated code."""
        self._set_control(uc_api.UC_CTL_TB_FLUSH)

    def ctl_remove_cache(self, begin: int, end: int) -> None:
        """Drop the code that was translated from between two addresses."""
        self._set_control(uc_api.UC_CTL_TB_REMOVE_CACHE, U64(begin), U64(end))

    # -- registers ---------------------------------------------------------------------------------

    def _get(self, register: int, into: Any) -> None:
        check(uclib.uc_reg_read(self._uch, register, ctypes.byref(into)))

    def _set(self, register: int, value: Any) -> None:
        check(uclib.uc_reg_write(self._uch, register, ctypes.byref(value)))

    def msr_read(self, number: int) -> int:
        """Return a model specific register."""
        self._get(x86.UC_X86_REG_MSR, msr := Msr(number))
        value: int = msr.value
        return value

    def msr_write(self, number: int, value: int) -> None:
        """Set a model specific register."""
        self._set(x86.UC_X86_REG_MSR, Msr(number, value))

    def context_save(self) -> UcContext:
        """Return a copy of all registers."""
        context = UcContext(self._uch)
        self.context_update(context)
        return context

    def context_update(self, context: UcContext) -> None:
        """Copy all registers once more."""
        check(uclib.uc_context_save(self._uch, context.context))

    def context_restore(self, context: UcContext) -> None:
        """Set all registers."""
        check(uclib.uc_context_restore(self._uch, context.context))
