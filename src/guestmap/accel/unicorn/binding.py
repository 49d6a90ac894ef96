"""Unicorn's C interface (``unicorn/unicorn.h``), as much of it as the engine uses.

The package's own Python binding loads the constants of nine architectures and goes through three
Python functions for each hook: that is most of what starting an engine, and an access of a device,
cost. So the library and the two files of constants are loaded from the package's folder, without
the package; where they are not there as they should be, by way of it. Instances of both may be
used in one process: there is one library.

Hooks are called with what the library gives them: the instance's address first, and numbers. An
exception ends the run, and is raised by :meth:`Uc.emu_start`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Uc", "UcError", "uc_api", "uclib", "x86"]

_P, _INT, _U32, _U64, _I64 = (
    ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64
)  # fmt: skip
_SIZE = ctypes.c_size_t


def _folder() -> str:
    """Return where the package is.

    Raises:
        ModuleNotFoundError: it is not installed.
    """
    found = find_spec("unicorn")
    if found is None or not found.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'unicorn'", name="unicorn")
    return found.submodule_search_locations[0]


def _constants(folder: str, name: str) -> Any:
    """Return a module of constants of the package, which nobody else gets to see."""
    spec = spec_from_file_location(f"{__name__}.{name}", os.path.join(folder, f"{name}.py"))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load(folder: str) -> Any:
    path = os.path.join(folder, "lib", "libunicorn.so.2")
    if "LIBUNICORN_PATH" in os.environ or "unicorn" in sys.modules or not os.path.isfile(path):
        from unicorn.unicorn_py3.unicorn import uclib

        return _declared(ctypes.CDLL(uclib._name))
    return _declared(ctypes.CDLL(path))


def _declared(library: Any) -> Any:
    """Say what the functions take, and that each but two returns an error."""
    for name, arguments in {
        "uc_open": (_INT, _INT, _P), "uc_close": (_P,),
        "uc_emu_start": (_P, _U64, _U64, _U64, _SIZE), "uc_emu_stop": (_P,),
        "uc_reg_read": (_P, _INT, _P), "uc_reg_write": (_P, _INT, _P),
        "uc_mem_map": (_P, _U64, _U64, _U32), "uc_mem_map_ptr": (_P, _U64, _U64, _U32, _P),
        "uc_mem_unmap": (_P, _U64, _U64), "uc_mem_protect": (_P, _U64, _U64, _U32),
        "uc_mem_read": (_P, _U64, _P, _U64), "uc_mem_write": (_P, _U64, ctypes.c_char_p, _U64),
        "uc_mmio_map": (_P, _U64, _U64, _P, _P, _P, _P), "uc_ctl": (_P, _U32),
        "uc_hook_add": (_P, _P, _INT, _P, _P, _U64, _U64), "uc_hook_del": (_P, _SIZE),
        "uc_context_alloc": (_P, _P), "uc_context_free": (_P,), "uc_context_size": (_P,),
        "uc_context_save": (_P, _P), "uc_context_restore": (_P, _P),
        "uc_context_reg_read": (_P, _INT, _P), "uc_context_reg_write": (_P, _INT, _P),
        "uc_strerror": (_INT,),
    }.items():  # fmt: skip
        getattr(library, name).argtypes = arguments
    library.uc_context_size.restype = _SIZE
    library.uc_strerror.restype = ctypes.c_char_p
    return library


_FOLDER = _folder()
uc_api: Any = _constants(_FOLDER, "unicorn_const")
x86: Any = _constants(_FOLDER, "x86_const")
uclib: Any = _load(_FOLDER)


class UcError(Exception):
    """The library refuses.

    Attributes:
        errno: one of ``UC_ERR_...``.
    """

    def __init__(self, errno: int) -> None:
        super().__init__(uclib.uc_strerror(errno).decode())
        self.errno = errno


class _Table(ctypes.Structure):
    _fields_ = (("selector", ctypes.c_uint16), ("base", _U64), ("limit", _U32), ("flags", _U32))


class _Msr(ctypes.Structure):
    _fields_ = (("number", _U32), ("value", _U64))


class _Float(ctypes.Structure):
    _fields_ = (("significand", _U64), ("exponent", ctypes.c_uint16))


class _Vector(ctypes.Structure):
    _fields_ = (("words", _U64 * 2),)


_TABLES = {x86.UC_X86_REG_IDTR, x86.UC_X86_REG_GDTR, x86.UC_X86_REG_LDTR, x86.UC_X86_REG_TR}
_FLOATS = range(x86.UC_X86_REG_FP0, x86.UC_X86_REG_FP7 + 1)
_VECTORS = range(x86.UC_X86_REG_XMM0, x86.UC_X86_REG_XMM31 + 1)
_MASK = (1 << 64) - 1

_READ, _WRITE = (
    ctypes.CFUNCTYPE(_U64, _P, _U64, ctypes.c_uint, _U64),
    ctypes.CFUNCTYPE(None, _P, _U64, ctypes.c_uint, _U64, _U64),
)
_ACCESS = (_P, _INT, _U64, _INT, _I64, _P)
_INVALID, _ACCESSED = ctypes.CFUNCTYPE(ctypes.c_bool, *_ACCESS), ctypes.CFUNCTYPE(None, *_ACCESS)
_ACCESSES = uc_api.UC_HOOK_MEM_READ | uc_api.UC_HOOK_MEM_WRITE
_CODE = ctypes.CFUNCTYPE(None, _P, _U64, _U32, _P)
_HOOKS: dict[int, Any] = {
    uc_api.UC_HOOK_INTR: ctypes.CFUNCTYPE(None, _P, _U32, _P),
    uc_api.UC_HOOK_BLOCK: _CODE, uc_api.UC_HOOK_CODE: _CODE,
    uc_api.UC_HOOK_INSN_INVALID: ctypes.CFUNCTYPE(ctypes.c_bool, _P, _P),
}  # fmt: skip
_INSTRUCTIONS: dict[int, Any] = {
    x86.UC_X86_INS_IN: ctypes.CFUNCTYPE(_U32, _P, _U32, _INT),
    x86.UC_X86_INS_OUT: ctypes.CFUNCTYPE(None, _P, _U32, _INT, _U32),
}
"""Without the last argument, the user's data: there is none, and each costs time."""


def _shape(kind: int, instruction: int) -> Any:
    """Return the type of a hook's function."""
    if instruction:
        return _INSTRUCTIONS[instruction]
    return _HOOKS.get(kind) or (_ACCESSED if kind & _ACCESSES else _INVALID)


def _check(status: int) -> None:
    if status:
        raise UcError(status)


class _Registers:
    """Registers by their numbers: tables are four numbers, x87 registers two, the rest one."""

    def _get(self, register: int, into: Any) -> None:
        raise NotImplementedError

    def _set(self, register: int, value: Any) -> None:
        raise NotImplementedError

    def reg_read(self, register: int) -> Any:
        """Return a register."""
        if register in _TABLES:
            self._get(register, table := _Table())
            return table.selector, table.base, table.limit, table.flags
        if register in _FLOATS:
            self._get(register, number := _Float())
            return number.significand, number.exponent
        if register in _VECTORS:
            self._get(register, vector := _Vector())
            return vector.words[0] | vector.words[1] << 64
        self._get(register, value := _U64())
        return value.value

    def reg_write(self, register: int, value: Any) -> None:
        """Set a register."""
        if register in _TABLES:
            self._set(register, _Table(*value))
        elif register in _FLOATS:
            self._set(register, _Float(*value))
        elif register in _VECTORS:
            self._set(register, _Vector((value & _MASK, value >> 64)))
        else:
            self._set(register, _U64(value))


class Uc(_Registers):
    """An instance.

    Args:
        arch, mode: ``UC_ARCH_...`` and ``UC_MODE_...``.
    """

    def __init__(self, arch: int, mode: int) -> None:
        self._uch = _P()
        self._hooks: dict[int, Any] = {}
        self._removed: list[Any] = []
        self._windows: dict[tuple[Any, Any], Any] = {}
        self._failure: BaseException | None = None
        self._close = uclib.uc_close
        _check(uclib.uc_open(arch, mode, ctypes.byref(self._uch)))

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
        _check(status)

    def emu_stop(self) -> None:
        """Have a run end soon."""
        _check(uclib.uc_emu_stop(self._uch))

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
        _check(uclib.uc_mem_map(self._uch, address, size, perms))

    def mem_map_ptr(self, address: int, size: int, perms: int, host: int) -> None:
        """Map the host's memory."""
        _check(uclib.uc_mem_map_ptr(self._uch, address, size, perms, host))

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
        _check(uclib.uc_mmio_map(
            self._uch, address, size, self._of_window(_READ, read, guard=guard), read_data,
            self._of_window(_WRITE, write, guard=guard), write_data,
        ))  # fmt: skip

    def mem_unmap(self, address: int, size: int) -> None:
        """Unmap."""
        _check(uclib.uc_mem_unmap(self._uch, address, size))

    def mem_protect(self, address: int, size: int, perms: int) -> None:
        """Say what may be done with memory."""
        _check(uclib.uc_mem_protect(self._uch, address, size, perms))

    def mem_read(self, address: int, size: int) -> bytearray:
        """Return memory."""
        data = ctypes.create_string_buffer(size)
        _check(uclib.uc_mem_read(self._uch, address, data, size))
        return bytearray(data.raw)

    def mem_write(self, address: int, data: bytes) -> None:
        """Write memory."""
        _check(uclib.uc_mem_write(self._uch, address, bytes(data), len(data)))

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
        hook = _SIZE()
        more = (_INT(instruction),) if instruction else ()
        _check(uclib.uc_hook_add(
            self._uch, ctypes.byref(hook), kind, function, None, begin, end, *more
        ))  # fmt: skip
        self._hooks[hook.value] = function
        return hook.value

    def hook_del(self, hook: int) -> None:
        """Take a hook back; its function may be running, and stays until the next run."""
        _check(uclib.uc_hook_del(self._uch, hook))
        self._removed.append(self._hooks.pop(hook))

    # -- control -----------------------------------------------------------------------------------

    def ctl(self, control: int, direction: int, *arguments: Any) -> None:
        """Call ``uc_ctl``."""
        code = direction << 30 | len(arguments) << 26 | control
        _check(uclib.uc_ctl(self._uch, code, *arguments))

    def _set_control(self, control: int, *arguments: Any) -> None:
        self.ctl(control, uc_api.UC_CTL_IO_WRITE, *arguments)

    def ctl_set_cpu_model(self, model: int) -> None:
        """Choose the CPU, before anything else."""
        self._set_control(uc_api.UC_CTL_CPU_MODEL, _INT(model))

    def ctl_exits_enabled(self, enable: bool) -> None:
        """Have a run end at certain addresses alone, of which there are none."""
        self._set_control(uc_api.UC_CTL_UC_USE_EXITS, _INT(enable))

    def ctl_flush_tb(self) -> None:
        """Drop all translated code."""
        self._set_control(uc_api.UC_CTL_TB_FLUSH)

    def ctl_remove_cache(self, begin: int, end: int) -> None:
        """Drop the code that was translated from between two addresses."""
        self._set_control(uc_api.UC_CTL_TB_REMOVE_CACHE, _U64(begin), _U64(end))

    # -- registers ---------------------------------------------------------------------------------

    def _get(self, register: int, into: Any) -> None:
        _check(uclib.uc_reg_read(self._uch, register, ctypes.byref(into)))

    def _set(self, register: int, value: Any) -> None:
        _check(uclib.uc_reg_write(self._uch, register, ctypes.byref(value)))

    def msr_read(self, number: int) -> int:
        """Return a model specific register."""
        self._get(x86.UC_X86_REG_MSR, msr := _Msr(number))
        value: int = msr.value
        return value

    def msr_write(self, number: int, value: int) -> None:
        """Set a model specific register."""
        self._set(x86.UC_X86_REG_MSR, _Msr(number, value))

    def context_save(self) -> UcContext:
        """Return a copy of all registers."""
        context = UcContext(self._uch)
        self.context_update(context)
        return context

    def context_update(self, context: UcContext) -> None:
        """Copy all registers once more."""
        _check(uclib.uc_context_save(self._uch, context.context))

    def context_restore(self, context: UcContext) -> None:
        """Set all registers."""
        _check(uclib.uc_context_restore(self._uch, context.context))


class UcContext(_Registers):
    """A copy of an instance's registers.

    Attributes:
        context: its address.
        size: its bytes.
    """

    def __init__(self, instance: Any) -> None:
        self.context = _P()
        self.size: int = uclib.uc_context_size(instance)
        self._free = uclib.uc_context_free
        _check(uclib.uc_context_alloc(instance, ctypes.byref(self.context)))

    def __del__(self) -> None:
        """Free it."""
        if getattr(self, "context", None):
            self._free(self.context)

    def _get(self, register: int, into: Any) -> None:
        _check(uclib.uc_context_reg_read(self.context, register, ctypes.byref(into)))

    def _set(self, register: int, value: Any) -> None:
        _check(uclib.uc_context_reg_write(self.context, register, ctypes.byref(value)))
