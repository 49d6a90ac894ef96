"""What names a running machine on the command line.

========================  ==========================================================
``unix:PATH``             a QMP socket; a path to a socket alone will do as well
``tcp:HOST:PORT``         a QMP socket; ``tcp:[::1]:4444`` for IPv6, no host: this one
``tls:HOST:PORT``         the same over TLS, with the files of ``/etc/pki/qemu``; of another folder:
                          ``tls:HOST:PORT,dir=FOLDER``
``libvirt:NAME``          a libvirt domain, on the connection that libvirt chooses
``libvirt+URI:NAME``      the same, for example ``libvirt+qemu:///session:vm1``
========================  ==========================================================

``unix:`` and ``tcp:`` may be pasted from QEMU's own command line, ``,server=on,wait=off`` and all.
"""

from __future__ import annotations

import re
import stat
from dataclasses import dataclass
from pathlib import Path

from guestmap.base import ConfigError

FORMS = ("unix:PATH", "tcp:HOST:PORT", "tls:HOST:PORT", "libvirt:NAME", "libvirt+URI:NAME")

TLS_FOLDER = "/etc/pki/qemu"
"""libvirt's ``default_tls_x509_cert_dir`` (qemu.conf); the files in it are named as those of QEMU's
``tls-creds-x509``: ``ca-cert.pem``, ``client-cert.pem``, ``client-key.pem``."""

_OPTIONS = re.compile(r"(?:,(?:server|nowait|wait)(?:=(?:on|off|yes|no))?)+$")
_TCP = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<host>[^:\[\]]*)):(?P<port>\d{1,5})")


@dataclass(frozen=True, slots=True)
class UnixTarget:
    """A QMP socket in the file system."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


@dataclass(frozen=True, slots=True)
class TcpTarget:
    """A QMP socket on the network."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp:{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class TlsTarget(TcpTarget):
    """A QMP socket on the network, over TLS; ``folder`` has the authority, and who we are."""

    folder: str = TLS_FOLDER

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        folder = "" if self.folder == TLS_FOLDER else f",dir={self.folder}"
        return f"tls:{host}:{self.port}{folder}"


@dataclass(frozen=True, slots=True)
class LibvirtTarget:
    """A libvirt domain; ``uri`` None is the connection that libvirt itself chooses."""

    name: str
    uri: str | None = None

    def __str__(self) -> str:
        return f"libvirt:{self.name}" if self.uri is None else f"libvirt+{self.uri}:{self.name}"


Target = UnixTarget | TcpTarget | LibvirtTarget


def parse_target(text: str) -> Target | None:
    """Return which machine ``text`` names; None where it is of another kind (a file, perhaps).

    Raises:
        ConfigError: it begins like one of the forms, but is none.
    """
    kind, _, rest = text.partition(":")
    if kind == "unix":
        path = _OPTIONS.sub("", rest)
        if not path:
            raise ConfigError(f"{text!r} names no socket: write unix:PATH")
        return UnixTarget(path)
    if kind == "tcp":
        return _tcp(text, _OPTIONS.sub("", rest))
    if kind == "tls":
        place, _, folder = rest.partition(",dir=")
        found = _tcp(text, _OPTIONS.sub("", place), "tls")
        return TlsTarget(found.host, found.port, folder or TLS_FOLDER)
    if kind == "libvirt" or kind.startswith("libvirt+"):
        return _libvirt(text)
    return UnixTarget(text) if _is_socket(text) else None


def _tcp(text: str, rest: str, kind: str = "tcp") -> TcpTarget:
    match = _TCP.fullmatch(rest)
    port = int(match["port"]) if match else 0
    if match is None or not 0 < port < 1 << 16:
        raise ConfigError(
            f"{text!r} names no port: write {kind}:HOST:PORT, for example {kind}:localhost:4444 or"
            f" {kind}:[::1]:4444"
        )
    return TcpTarget(match["six"] or match["host"] or "localhost", port)


def _libvirt(text: str) -> LibvirtTarget:
    if text.startswith("libvirt:"):
        uri, name = None, text.removeprefix("libvirt:")
    else:
        uri, _, name = text.removeprefix("libvirt+").rpartition(":")
    if not name or uri == "":
        raise ConfigError(
            f"{text!r} names no libvirt domain: write libvirt:NAME, or libvirt+URI:NAME, for"
            " example libvirt+qemu:///session:vm1"
        )
    return LibvirtTarget(name, uri)


def _is_socket(text: str) -> bool:
    try:
        return stat.S_ISSOCK(Path(text).stat().st_mode)
    except (OSError, ValueError):
        return False
