"""A way out of KVM_RUN from any thread: a flag, then a signal; neither alone is enough.

The flag has the next KVM_RUN return at once, the signal the one that is going on. The handler is a
function of the C library that takes nothing and does nothing, so that no Python runs in it; it is
there so that the signal neither ends the process nor is ignored.
"""

from __future__ import annotations

import ctypes
import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.base import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.accel.kvm.run_page import RunPage

KICK = signal.SIGRTMIN + 5


class _Action(ctypes.Structure):
    """``struct sigaction`` of the C library, x86-64."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_ulong * 16),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


def prepare_signal() -> None:
    """Have the signal interrupt what it hits, and nothing more. Doing it again changes nothing.

    Raises:
        HostError: the host refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    action = _Action(ctypes.cast(libc.getpid, ctypes.c_void_p).value)
    if libc.sigaction(int(KICK), ctypes.byref(action), None):
        raise HostError("no signal to stop a vCPU with", errno=ctypes.get_errno(), call="sigaction")


class Kick:
    """Makes one vCPU leave the guest."""

    def __init__(self, page: RunPage) -> None:
        self._page = page
        self._lock = threading.Lock()
        self._runner: int | None = None
        self._closed = False

    @contextmanager
    def running(self) -> Iterator[None]:
        """The calling thread runs the vCPU inside."""
        self._runner = threading.get_ident()
        try:
            yield
        finally:
            with self._lock:  # the thread may be gone soon: no signal to it from here on
                self._runner = None

    def __call__(self) -> None:
        """Have KVM_RUN return soon, or the next one at once; from any thread."""
        with self._lock:
            if self._closed:
                return
            self._page.leave_at_once(wanted=True)
            if self._runner is not None and self._runner != threading.get_ident():
                signal.pthread_kill(self._runner, KICK)

    def heard(self) -> None:
        """Note that the vCPU has left."""
        self._page.leave_at_once(wanted=False)

    def close(self) -> None:
        """Touch the page no more."""
        with self._lock:
            self._closed = True
