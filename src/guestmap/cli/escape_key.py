"""Ctrl-A among what is typed to a guest, as with QEMU: what is ours, and what is the guest's."""

from __future__ import annotations

_ESCAPE = 0x01
_END = b"xX"


class EscapeKey:
    """Ctrl-A X ends the machine, Ctrl-A Ctrl-A is one Ctrl-A for the guest; others are dropped."""

    def __init__(self) -> None:
        self._is_open = False

    def taken(self, data: bytes) -> tuple[bytes, bool]:
        """Return what is the guest's of what was typed, and whether the machine is to end there.

        What is typed behind the end is nobody's. An open Ctrl-A waits for the next call.
        """
        kept = bytearray()
        for byte in data:
            if self._is_open:
                self._is_open = False
                if byte in _END:
                    return bytes(kept), True
                if byte != _ESCAPE:
                    continue
            elif byte == _ESCAPE:
                self._is_open = True
                continue
            kept.append(byte)
        return bytes(kept), False
