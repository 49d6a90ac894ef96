"""Errors say whose fault it is.

::

    GuestmapError
    ├── ConfigError       the caller asked for the impossible (overlap, bad size, unknown type)
    ├── PeerError         the other side of a wire, or a file, holds nonsense
    ├── HostError         the operating system refused; keeps errno, call and arguments
    ├── StateError        a right request at the wrong moment
    ├── FixedError        an assignment to what only a method may change; also an AttributeError
    └── UnsupportedError  QEMU has it, we do not yet; names it

A guest never causes any of them: what a guest does wrong ends in a ``MemTxResult``.
"""

from __future__ import annotations

import os


class GuestmapError(Exception):
    """Root of every error that this package raises on purpose."""


class ConfigError(GuestmapError):
    """The caller asked for something impossible; the message names both parties."""


class PeerError(GuestmapError):
    """Input from outside (a wire, a file) is not what its format promises."""


class StateError(GuestmapError):
    """A right request at the wrong moment."""


class FixedError(GuestmapError, AttributeError):
    """An assignment to what only a method may change; the message names the method."""


class UnsupportedError(GuestmapError):
    """A real QEMU feature that is not modelled; the message names it."""


class HostError(GuestmapError):
    """The operating system refused.

    Attributes:
        errno: the host's error number, or None where the call gave none.
        call: the name of the refused call, for example ``mmap``.
        arguments: what it was called with, as text.
    """

    def __init__(
        self, message: str, *, errno: int | None = None, call: str = "", arguments: str = ""
    ) -> None:
        reason = f": {os.strerror(errno)}" if errno else ""
        super().__init__(f"{message}{reason}")
        self.errno = errno
        self.call = call
        self.arguments = arguments
