"""ioctl(2), mmap(2) and their kin, as KVM needs them; the traps of Python's own are met here.

* ``fcntl.ioctl`` with ``bytes`` returns them instead of the result, so that a new descriptor would
  be lost: a structure is a ``bytearray``.
* ``fcntl.ioctl`` takes numbers of 31 bits, while an address can have more: such a number goes
  through the C library.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
from typing import TYPE_CHECKING, Protocol

from guestmap.base import HostError
from guestmap.memory.ram.host import libc

if TYPE_CHECKING:
    from guestmap.accel.kvm.abi import Ioctl

_INT_MAX = (1 << 31) - 1
_MAP_FIXED = 0x10


class Kernel(Protocol):
    """What is asked of the kernel. The calls raise OSError where it refuses."""

    def open(self, path: str) -> int:
        """Return a new descriptor of a device."""

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
        """Make a request; a structure is changed in place."""

    def map(self, fd: int, size: int, offset: int = 0) -> mmap.mmap | bytearray:
        """Return ``size`` bytes of a descriptor's memory, shared with the kernel."""

    def map_over(self, fd: int, address: int, size: int) -> None:
        """Map a descriptor's memory, shared, in place of what is mapped there."""

    def close(self, fd: int) -> None:
        """Give a descriptor back."""


class HostKernel:
    """The kernel that this process runs on."""

    def open(self, path: str) -> int:
        """Return a new descriptor of a device."""
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
        """Make a request; a structure is changed in place."""
        if isinstance(argument, int) and argument > _INT_MAX:
            return _wide_ioctl(fd, code, argument)
        return fcntl.ioctl(fd, code, argument)

    def map(self, fd: int, size: int, offset: int = 0) -> mmap.mmap:
        """Return ``size`` bytes of a descriptor's memory, shared with the kernel."""
        return mmap.mmap(fd, size, offset=offset)

    def map_over(self, fd: int, address: int, size: int) -> None:
        """Map a descriptor's memory, shared, in place of what is mapped there."""
        flags = mmap.MAP_SHARED | _MAP_FIXED
        if libc.mmap(address, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, fd, 0) is None:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def close(self, fd: int) -> None:
        """Give a descriptor back."""
        os.close(fd)


def _wide_ioctl(fd: int, code: int, argument: int) -> int:
    call = ctypes.CDLL(None, use_errno=True).ioctl
    call.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong)
    result = int(call(fd, code, argument))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


class Handle:
    """A descriptor of KVM's: of the device, of a VM, or of a vCPU. Close it when done.

    Args:
        kernel: whose.
        fd: the descriptor, which is the handle's from now on.
        what: for messages.
    """

    def __init__(self, kernel: Kernel, fd: int, what: str) -> None:
        self.kernel = kernel
        self.fd = fd
        self.what = what

    def call(
        self, request: Ioctl, argument: int | bytes | bytearray = 0, about: object = ""
    ) -> int:
        """Make a request and return its result.

        Args:
            request: which.
            argument: a number, or a structure; a ``bytearray`` is changed in place.
            about: what it is made with: made into text where the kernel refuses.

        Raises:
            HostError: the kernel refuses.
        """
        if isinstance(argument, bytes):
            argument = bytearray(argument)
        try:
            return self.kernel.ioctl(self.fd, request.code, argument)
        except OSError as error:
            text = str(about)
            of = f" ({text})" if text else ""
            raise HostError(
                f"KVM refuses {request.name} of {self.what}{of}",
                errno=error.errno or errno.EIO,
                call=request.name,
                arguments=text,
            ) from error

    def map(self, size: int, offset: int = 0) -> mmap.mmap | bytearray:
        """Return ``size`` bytes of its memory from ``offset`` on, shared with the kernel.

        Raises:
            HostError: the host refuses.
        """
        try:
            return self.kernel.map(self.fd, size, offset)
        except OSError as error:
            raise HostError(
                f"KVM's {size} bytes of {self.what} cannot be mapped",
                errno=error.errno,
                call="mmap",
            ) from error

    def close(self) -> None:
        """Give the descriptor back. Closing twice is allowed."""
        if self.fd >= 0:
            self.kernel.close(self.fd)
            self.fd = -1
