"""The wire: ``$payload#checksum``, acknowledged by ``+``; and the byte 03h, Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

INTERRUPT = b"\x03"
MAX_PACKET = 0x1000
"""Bytes of a packet that is taken; as QEMU says of itself."""

OK = b"OK"
FAULT, INVALID = b"E14", b"E22"  # EFAULT and EINVAL, as QEMU answers

_ESCAPE, _FLIP = 0x7D, 0x20
_ESCAPED = b"#$}*"


class GdbWire(Enum):
    """What comes in besides packets."""

    INTERRUPT = "interrupt"
    AGAIN = "again"  # the last answer was not understood
    DAMAGED = "damaged"  # a packet whose checksum is wrong


class PacketReader:
    """Cuts what comes in; a packet may come in any number of pieces."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes | GdbWire]:
        """Yield the payload of each packet, unescaped, and whatever else has come."""
        self._data += data
        while self._data:
            first = self._data[0]
            if first == ord("$"):
                end = self._data.find(b"#")
                if end < 0 or len(self._data) < end + 3:
                    self._drop_overlong()
                    return
                payload, checksum = bytes(self._data[1:end]), bytes(self._data[end + 1 : end + 3])
                del self._data[: end + 3]
                yield _unescaped(payload) if _is_sum(payload, checksum) else GdbWire.DAMAGED
                continue
            del self._data[0]
            if first == INTERRUPT[0]:
                yield GdbWire.INTERRUPT
            elif first == ord("-"):
                yield GdbWire.AGAIN

    def _drop_overlong(self) -> None:
        """Forget what is longer than any packet that may come: it would fill memory."""
        if len(self._data) > 2 * MAX_PACKET:
            self._data.clear()


def packet(payload: bytes) -> bytes:
    """Return a packet."""
    escaped = bytearray()
    for byte in payload:
        if byte in _ESCAPED:
            escaped += bytes((_ESCAPE, byte ^ _FLIP))
        else:
            escaped.append(byte)
    return b"$" + escaped + b"#" + b"%02x" % (sum(escaped) & 0xFF)


def _is_sum(payload: bytes, checksum: bytes) -> bool:
    return checksum.lower() == b"%02x" % (sum(payload) & 0xFF)


def _unescaped(payload: bytes) -> bytes:
    if _ESCAPE not in payload:
        return payload
    found = bytearray()
    escaped = False
    for byte in payload:
        if byte == _ESCAPE and not escaped:
            escaped = True
            continue
        found.append(byte ^ _FLIP if escaped else byte)
        escaped = False
    return bytes(found)
