"""TLS below QMP: who the machine is, and who we are, by files named as QEMU names them."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from guestmap.base import HostError, PeerError

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from guestmap.qmp.client.address import TlsTarget

_FILES = ("ca-cert.pem", "client-cert.pem", "client-key.pem")


class _ByteByByte(ssl.SSLSocket):
    """Sends each byte in a TLS record of its own.

    A monitor of QEMU 7.2 takes one byte at a time, waits for its socket after each, and forgets
    that TLS holds the rest of the record already: a request of one record is never read to its
    end. Requests are short, and 10.0 does not mind.
    """

    def sendall(self, data: Buffer, flags: int = 0) -> None:
        """Send all of it."""
        for each in memoryview(data):
            super().sendall(bytes((each,)), flags)


def over_tls(plain: socket.socket, target: TlsTarget) -> socket.socket:
    """Return a connection over TLS; the plain one is closed where there is none.

    The machine must be who its certificate says, by that authority, and for that host. We show a
    certificate where the folder has one, which QEMU asks for unless told otherwise
    (``tls-creds-x509``, ``verify-peer``).

    Raises:
        HostError: the files cannot be read.
        PeerError: no TLS is agreed on; says why.
    """
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return _context(target).wrap_socket(plain, server_hostname=target.host)
    except ssl.SSLError as error:
        plain.close()
        reason = getattr(error, "verify_message", "") or error.reason or str(error)
        raise PeerError(f"{target}: no TLS is agreed on ({reason})") from error
    except OSError as error:
        plain.close()
        if isinstance(error, TimeoutError):
            raise PeerError(f"{target}: it says nothing of TLS: perhaps it is tcp:") from error
        raise PeerError(f"{target}: no TLS is agreed on ({error.strerror or error})") from error
    except BaseException:
        plain.close()
        raise


def _context(target: TlsTarget) -> ssl.SSLContext:
    authority, certificate, key = (Path(target.folder) / name for name in _FILES)
    try:
        context = ssl.create_default_context(cafile=str(authority))
        context.sslsocket_class = _ByteByByte
        if certificate.exists():
            context.load_cert_chain(certificate, key)
    except OSError as error:  # SSLError, where what is there is no certificate, among them
        reason = error.strerror or getattr(error, "reason", "") or str(error)
        raise HostError(
            f"{target}: cannot read {', '.join(_FILES)} in {target.folder} ({reason})", call="open"
        ) from error
    return context
