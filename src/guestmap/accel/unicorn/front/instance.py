"""What is to be known of a ``Uc`` of any architecture, as measured with Unicorn 2.1.4."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import unicorn
from unicorn import unicorn_const as uc_api

try:
    from unicorn.unicorn_py3 import unicorn as binding
except ImportError:  # another build of the binding: do without
    _INSIDE: dict[str, Any] = {}
else:
    _INSIDE = vars(binding)

UcError: Any = vars(unicorn)["UcError"]
"""What the package's own instances raise."""

LIBRARY = _INSIDE.get("uclib")
"""The library itself; None where the binding hides it."""

_ARM = frozenset({uc_api.UC_ARCH_ARM, uc_api.UC_ARCH_ARM64})
_NO_FETCH = frozenset({uc_api.UC_ARCH_SPARC, uc_api.UC_ARCH_M68K})


class Instance:
    """One ``Uc``, with what its binding lacks.

    Attributes:
        uc: the instance itself.
        big_endian: whether the values of device accesses have their first byte on top. A CPU that
            switches its byte order while it runs (ARM) swaps them itself.
        fetches_from_devices: whether instructions can be executed from what is no memory; the
            library ends the process where they cannot.
        asks_for_windows: whether an access of what is not mapped reaches Unicorn's hooks. To an
            S390 it is an exception of its own.
    """

    def __init__(self, uc: Any) -> None:
        self.uc = uc
        arch, mode = uc.ctl_get_arch(), uc.ctl_get_mode()
        self.big_endian = bool(mode & uc_api.UC_MODE_BIG_ENDIAN) and arch not in _ARM
        self.fetches_from_devices = arch not in _NO_FETCH
        self.asks_for_windows = arch != uc_api.UC_ARCH_S390X
        self._windows: dict[int, tuple[Any, Any]] = {}

    @contextmanager
    def physically(self) -> Iterator[None]:
        """Have the CPU take all addresses for physical ones, for the length of a ``with`` block.

        Unicorn's own functions look for translated code by the addresses that the CPU knows. Where
        the CPU translates, they miss it, and what they find no translation for becomes an exception
        of the guest.
        """
        self.uc.ctl_set_tlb_mode(uc_api.UC_TLB_VIRTUAL)
        self._flush_tlb()
        try:
            yield
        finally:
            self.uc.ctl_set_tlb_mode(uc_api.UC_TLB_CPU)
            self._flush_tlb()

    def _flush_tlb(self) -> None:
        self.uc.ctl(uc_api.UC_CTL_TLB_FLUSH, uc_api.UC_CTL_IO_WRITE)

    def map_window(self, low: int, size: int, read: Any, write: Any) -> None:
        """Send accesses to ``read(handle, offset, size, _)`` and ``write(..., value, _)``.

        Neither may raise. The binding's own ``mmio_map`` puts two more Python functions in the way
        of each access.

        Raises:
            UcError: something is mapped there.
        """
        if LIBRARY is None:
            self.uc.mmio_map(low, size, read, None, write, None)
            return
        callbacks = _INSIDE["MMIO_READ_CFUNC"](read), _INSIDE["MMIO_WRITE_CFUNC"](write)
        failed = LIBRARY.uc_mmio_map(self.uc._uch, low, size, callbacks[0], 0, callbacks[1], 0)
        if failed:
            raise UcError(failed)
        self._windows[low] = callbacks  # the library has only their addresses

    def forget_window(self, low: int) -> None:
        """Let go of the callbacks of a window that is unmapped."""
        self._windows.pop(low, None)
