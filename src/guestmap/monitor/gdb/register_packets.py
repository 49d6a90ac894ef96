"""Packets about registers: what a debugger reads and writes of them, and how they are described."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.monitor.gdb.packets import FAULT, INVALID, MAX_PACKET, OK
from guestmap.monitor.gdb.registers import description, registers

if TYPE_CHECKING:
    from guestmap.monitor.gdb.registers import GdbRegister
    from guestmap.monitor.gdb.target import GdbTarget

_NUMBER = re.compile(rb"[0-9a-f]{1,16}")
_XFER = re.compile(rb"target\.xml:([0-9a-f]+),([0-9a-f]+)")


class RegisterPackets:
    """Answers them, each given without its first letter.

    Args:
        target: the machine.
    """

    def __init__(self, target: GdbTarget) -> None:
        self._target = target
        self._long_mode: bool | None = None

    @property
    def _is_long(self) -> bool:
        """Whether registers have 64 bits: a debugger asks what they are once in a session."""
        if self._long_mode is None:
            self._long_mode = self._target.long_mode
        return self._long_mode

    def read_all(self, _rest: bytes) -> bytes:
        """Answer ``g``."""
        state = self._target.state
        return b"".join(
            _hex(each.read(state), each.bits) for each in registers(long_mode=self._is_long)
        )

    def write_all(self, rest: bytes) -> bytes:
        """Answer ``G``; ValueError: one of them cannot have its value."""
        table = registers(long_mode=self._is_long)
        data, values = bytes.fromhex(rest.decode()), {}
        if len(data) != sum(each.bits for each in table) // 8:
            return INVALID
        for each in table:
            values[each.name] = int.from_bytes(data[: each.bits // 8], "little")
            data = data[each.bits // 8 :]
        self._target.write_registers(values, long_mode=self._is_long)
        return OK

    def read_one(self, rest: bytes) -> bytes:
        """Answer ``p``."""
        each = self._register(rest)
        return FAULT if each is None else _hex(each.read(self._target.state), each.bits)

    def write_one(self, rest: bytes) -> bytes:
        """Answer ``P``; ValueError: it cannot have that value."""
        number, _, value = rest.partition(b"=")
        each = self._register(number)
        if each is None:
            return FAULT
        written = int.from_bytes(bytes.fromhex(value.decode()), "little")
        self._target.write_registers({each.name: written}, long_mode=self._is_long)
        return OK

    def _register(self, number: bytes) -> GdbRegister | None:
        """Return the register of a number in hexadecimal; None where there is none."""
        if _NUMBER.fullmatch(number) is None:
            raise ValueError(number)
        table, at = registers(long_mode=self._is_long), int(number, 16)
        return table[at] if at < len(table) else None

    def description(self, rest: bytes) -> bytes:
        """Answer a question for a piece of ``target.xml``."""
        match = _XFER.fullmatch(rest)
        if match is None:
            return b"E00"
        text = description(long_mode=self._is_long).encode()
        offset, length = int(match[1], 16), min(int(match[2], 16), MAX_PACKET // 2)
        piece = text[offset : offset + length]
        return (b"m" if offset + length < len(text) else b"l") + piece


def _hex(value: int, bits: int) -> bytes:
    return (value & (1 << bits) - 1).to_bytes(bits // 8, "little").hex().encode()
