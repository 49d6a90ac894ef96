"""A medium that somebody else serves: the Network Block Device protocol, a client's side of it.

The NBD project's doc/proto.md: the fixed newstyle handshake with NBD_OPT_GO, and simple replies.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from guestmap.base import HostError, PeerError

_GREETING, _OPTIONS = b"NBDMAGIC", b"IHAVEOPT"
_FIXED_NEWSTYLE, _NO_ZEROES = 1, 2
_GO, _ACK, _INFO, _REFUSED = 7, 1, 3, 1 << 31
_REPLY_MAGIC = 0x0003_E889_0455_65A9
_EXPORT = 0
_READONLY = 1 << 1
_REQUEST, _SIMPLE_REPLY = 0x2560_9513, 0x6744_6698
_READ, _WRITE, _DISCONNECT, _FLUSH = range(4)
_MOST = 8 << 20
"""Bytes of a request: servers take 32 MiB at least."""
_LONGEST_REPLY = 1 << 16


class NbdMedium:
    """An export of an NBD server.

    Args:
        wire: connected to the server; belongs to this from now on.
        name: what messages call it.
        export: its name on the server.

    Raises:
        PeerError: the server has no such export, or is no NBD server.
    """

    def __init__(self, wire: socket.socket, name: str, export: str = "") -> None:
        self._wire = wire
        self._lock = threading.Lock()
        self._handle = 0
        self.name = name
        self.size, flags = self._negotiate(export.encode())
        self.readonly = bool(flags & _READONLY)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes."""
        pieces = []
        for at in range(offset, offset + length, _MOST):
            count = min(_MOST, offset + length - at)
            pieces.append(self._ask(_READ, at, count, answer=count))
        return b"".join(pieces)

    def write(self, offset: int, data: bytes | bytearray | memoryview) -> None:
        """Put bytes there."""
        for at in range(0, len(data), _MOST):
            piece = bytes(data[at : at + _MOST])
            self._ask(_WRITE, offset + at, len(piece), piece)

    def flush(self) -> None:
        """Have the server put all that was written on its disk."""
        self._ask(_FLUSH, 0, 0)

    def close(self) -> None:
        """Say good-bye."""
        with contextlib.suppress(OSError):  # it may have gone first
            self._wire.sendall(struct.pack(">IHHQQI", _REQUEST, 0, _DISCONNECT, 0, 0, 0))
        self._wire.close()

    def _ask(
        self, kind: int, offset: int, length: int, data: bytes = b"", *, answer: int = 0
    ) -> bytes:
        with self._lock:
            self._handle += 1
            head = struct.pack(">IHHQQI", _REQUEST, 0, kind, self._handle, offset, length)
            self._send(head + data)
            magic, error, handle = struct.unpack(">IIQ", self._receive(16))
            if magic != _SIMPLE_REPLY or handle != self._handle:
                raise PeerError(f"{self.name}: an NBD server answers what nobody asked")
            if error:
                raise HostError(f"{self.name}: the server of the image refuses", errno=error)
            return self._receive(answer)

    def _negotiate(self, export: bytes) -> tuple[int, int]:
        if self._receive(16) != _GREETING + _OPTIONS:
            raise PeerError(f"{self.name}: no NBD server of today answers")
        (flags,) = struct.unpack(">H", self._receive(2))
        self._send(struct.pack(">I", flags & (_FIXED_NEWSTYLE | _NO_ZEROES)))
        request = struct.pack(">I", len(export)) + export + struct.pack(">H", 0)
        self._send(_OPTIONS + struct.pack(">II", _GO, len(request)) + request)
        found: tuple[int, int] | None = None
        while True:
            magic, _, kind, length = struct.unpack(">QIII", self._receive(20))
            if magic != _REPLY_MAGIC or length > _LONGEST_REPLY:
                raise PeerError(f"{self.name}: no NBD server of today answers")
            content = self._receive(length)
            if kind & _REFUSED:
                raise PeerError(f"{self.name}: the NBD server refuses the export")
            if kind == _INFO and length >= 12 and content[:2] == _EXPORT.to_bytes(2, "big"):
                found = struct.unpack(">QH", content[2:12])
            if kind == _ACK and found is not None:
                return found

    def _send(self, data: bytes) -> None:
        try:
            self._wire.sendall(data)
        except OSError as error:
            raise HostError(
                f"{self.name}: the server of the image has gone", errno=error.errno, call="send"
            ) from error

    def _receive(self, length: int) -> bytes:
        pieces = []
        while length:
            try:
                piece = self._wire.recv(length)
            except OSError as error:
                raise HostError(
                    f"{self.name}: the server of the image has gone", errno=error.errno, call="recv"
                ) from error
            if not piece:
                raise PeerError(f"{self.name}: the server of the image has gone")
            pieces.append(piece)
            length -= len(piece)
        return b"".join(pieces)
