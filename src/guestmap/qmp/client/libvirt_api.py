"""What is used of libvirt-python, as types, and how it is imported.

libvirt-python is an optional extra, and a C extension: nothing else here imports it. Names and
numbers are libvirt's (libvirt.h, libvirt-qemu.h, virterror.h).
"""

from __future__ import annotations

import errno
import importlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

NO_DOMAIN = 42
"""VIR_ERR_NO_DOMAIN: no domain of that name."""

NO_SUPPORT = 3
"""VIR_ERR_NO_SUPPORT: the hypervisor's driver cannot do it."""

OPERATION_INVALID = 55
"""VIR_ERR_OPERATION_INVALID: not in this state, for example: not running."""

MONITOR_COMMAND_DEFAULT = 0
"""VIR_DOMAIN_QEMU_MONITOR_COMMAND_DEFAULT: the command is QMP, in JSON."""


class Domain(Protocol):
    """libvirt.virDomain."""

    def name(self) -> str:
        """Return the domain's name."""


class Connection(Protocol):
    """libvirt.virConnect."""

    def lookupByName(self, name: str) -> Domain:  # noqa: N802
        """Return a domain."""

    def listAllDomains(self, flags: int = 0) -> Sequence[Domain]:  # noqa: N802
        """Return all domains, running or not."""

    def getURI(self) -> str:  # noqa: N802
        """Return what the connection goes to."""

    def close(self) -> int:
        """Let go of the connection."""


class LibvirtModule(Protocol):
    """The module ``libvirt``."""

    libvirtError: type[Exception]  # noqa: N815

    def open(self, name: str | None = None) -> Connection:
        """Connect, with the right to do everything: the passthrough needs it."""

    def registerErrorHandler(  # noqa: N802
        self, f: Callable[[object, object], None], ctx: object
    ) -> object:
        """Give errors to ``f`` as they happen; without it libvirt prints them on stderr."""


class LibvirtQemuModule(Protocol):
    """The module ``libvirt_qemu``."""

    def qemuMonitorCommand(  # noqa: N802
        self, domain: Domain, cmd: str, flags: int
    ) -> str:
        """Give a command to a domain's monitor and return the answer, both as text."""

    def qemuAgentCommand(  # noqa: N802
        self, domain: Domain, command: str, timeout: int, flags: int
    ) -> str:
        """Give a command to a domain's guest agent and return the answer, both as text."""


@dataclass(frozen=True, slots=True)
class Libvirt:
    """Both modules."""

    libvirt: LibvirtModule
    libvirt_qemu: LibvirtQemuModule


def load_libvirt() -> Libvirt:
    """Import libvirt-python.

    Raises:
        UnsupportedError: it is not installed, or its C library is not.
    """
    try:
        return Libvirt(
            cast("LibvirtModule", importlib.import_module("libvirt")),
            cast("LibvirtQemuModule", importlib.import_module("libvirt_qemu")),
        )
    except ImportError as error:
        raise UnsupportedError(
            f"reading a libvirt domain needs libvirt-python ({error}): install your distribution's"
            " package (Debian: python3-libvirt, in a virtual environment made with"
            " --system-site-packages), or its libvirt-dev and then pip install 'guestmap[libvirt]'"
        ) from error


def words_of(error: Exception) -> str:
    """Return libvirt's words in one line: of a remote URI they are all that ssh had to say.

    Of a complaint of more than 1,024 bytes libvirt (9.0 to 12.9) keeps nothing but that it was too
    large, as a host's key that has changed brings it where paths are long.
    """
    words = " ".join(str(error).split())
    if words.startswith("Cannot recv data") and words.endswith(os.strerror(errno.EOVERFLOW)):
        words += " (ssh complains at more length than libvirt reads: try ssh by hand)"
    return words
