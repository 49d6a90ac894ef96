"""A debugger of a few lines: packets over a socket."""

from __future__ import annotations

import socket
import struct

from guestmap.monitor.address import TcpAddress
from guestmap.monitor.gdb.packets import PacketReader, packet

TIMEOUT_S = 60
_NAMES = (
    "eax", "ecx", "edx", "ebx", "esp", "ebp", "esi", "edi", "eip", "eflags",
    "cs", "ss", "ds", "es", "fs", "gs",
)  # fmt: skip


class Debugger:
    """Connected without acknowledgements; over a socket that is QEMU's, which needs none, too."""

    def __init__(self, where: object) -> None:
        if isinstance(where, socket.socket):
            self.socket = where
            self.socket.settimeout(TIMEOUT_S)
        else:
            assert isinstance(where, TcpAddress)
            self.socket = socket.create_connection((where.host, where.port), TIMEOUT_S)
        self._reader, self._came = PacketReader(), []
        try:
            answer = self.ask("QStartNoAckMode")
            assert answer == "OK" or isinstance(where, socket.socket)
        except BaseException:
            self.close()
            raise

    def send(self, text: str) -> None:
        self.socket.sendall(packet(text.encode()))

    def receive(self) -> str:
        while not self._came:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError
            self._came += self._reader.feed(data)
        found = self._came.pop(0)
        assert isinstance(found, bytes)
        return found.decode()

    def ask(self, text: str) -> str:
        self.send(text)
        return self.receive()

    def registers(self) -> dict[str, int]:
        """Return the first sixteen, which are 32 bits each."""
        data = bytes.fromhex(self.ask("g"))
        return dict(zip(_NAMES, struct.unpack_from("<16I", data), strict=True))

    def close(self) -> None:
        self.socket.close()
