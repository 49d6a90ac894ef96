"""Unicorn's library and its constants, as much of them as the engine uses.

The package's own Python binding loads the constants of nine architectures and goes through three
Python functions for each hook: that is most of what starting an engine, and an access of a device,
cost. So the library and the two files of constants are loaded from the package's folder, without
the package; where they are not there as they should be, by way of it. Instances of both may be
used in one process: there is one library.
"""

from __future__ import annotations

import ctypes
import os
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from typing import Any

P, INT, U32, U64, I64 = (
    ctypes.c_void_p, ctypes.c_int, ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64
)  # fmt: skip
SIZE = ctypes.c_size_t
"""With those before: C's types, as the library's header has them."""


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
    return _declared(ctypes.CDLL(path, handle=_opened(path)))


def _opened(path: str) -> int | None:
    """Return the handle of a library whose functions are found when they are first called.

    ctypes has all 8,000 found at once, which takes 1.5 ms. None where the host refuses: ctypes
    says why.
    """
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, INT), P
    handle: int | None = dlopen(os.fsencode(path), os.RTLD_LAZY)
    return handle


def _declared(library: Any) -> Any:
    """Say what the functions take, and that each but two returns an error."""
    for name, arguments in {
        "uc_open": (INT, INT, P), "uc_close": (P,),
        "uc_emu_start": (P, U64, U64, U64, SIZE), "uc_emu_stop": (P,),
        "uc_reg_read": (P, INT, P), "uc_reg_write": (P, INT, P),
        "uc_mem_map": (P, U64, U64, U32), "uc_mem_map_ptr": (P, U64, U64, U32, P),
        "uc_mem_unmap": (P, U64, U64), "uc_mem_protect": (P, U64, U64, U32),
        "uc_mem_read": (P, U64, P, U64), "uc_mem_write": (P, U64, ctypes.c_char_p, U64),
        "uc_mmio_map": (P, U64, U64, P, P, P, P), "uc_ctl": (P, U32),
        "uc_hook_add": (P, P, INT, P, P, U64, U64), "uc_hook_del": (P, SIZE),
        "uc_context_alloc": (P, P), "uc_context_free": (P,), "uc_context_size": (P,),
        "uc_context_save": (P, P), "uc_context_restore": (P, P),
        "uc_context_reg_read": (P, INT, P), "uc_context_reg_write": (P, INT, P),
        "uc_strerror": (INT,),
    }.items():  # fmt: skip
        getattr(library, name).argtypes = arguments
    library.uc_context_size.restype = SIZE
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


def check(status: int) -> None:
    """Raise what the library answers, where that is an error.

    Raises:
        UcError: it is.
    """
    if status:
        raise UcError(status)
