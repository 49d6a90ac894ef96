"""One debugger's session: bytes in, bytes out. What it does not know it answers with nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from guestmap.base import GuestmapError
from guestmap.monitor.gdb.packets import (
    FAULT,
    INVALID,
    MAX_PACKET,
    OK,
    GdbWire,
    PacketReader,
    packet,
)
from guestmap.monitor.gdb.register_packets import RegisterPackets
from guestmap.monitor.gdb.target import Breakpoint, StopKind

if TYPE_CHECKING:
    from guestmap.monitor.gdb.target import GdbTarget

_NOTHING = b""
_SIGINT, _SIGTRAP = 2, 5
_WATCHES = {StopKind.WRITE: "watch", StopKind.READ: "rwatch", StopKind.ACCESS: "awatch"}
_FEATURES = (
    f"PacketSize={MAX_PACKET:x};QStartNoAckMode+;qXfer:features:read+;vContSupported+".encode()
)
_SAID = MAX_PACKET // 4
"""Bytes of text in a packet; one has two digits."""
_RANGE = re.compile(rb"([0-9a-f]{1,16}),([0-9a-f]{1,16})")
_POINT = re.compile(rb"([0-4]),([0-9a-f]{1,16}),([0-9a-f]{1,16})(?:;|\Z)")


class GdbSession:
    """A connection of a debugger, which finds the machine standing still.

    Args:
        target: the machine.

    Attributes:
        running: the machine was let go, and its stop is awaited.
        over: the debugger has gone, or has ended the machine.
    """

    def __init__(self, target: GdbTarget) -> None:
        self._target = target
        self._reader = PacketReader()
        self._acknowledges = True
        self._last = b""
        self._said = b""
        self._interrupted = False
        self._registers = RegisterPackets(target)
        self.running = False
        self.over = False
        self._commands: dict[bytes, Callable[[bytes], bytes | None]] = {
            b"?": lambda _rest: self._stop_reply(),
            b"g": self._registers.read_all, b"G": self._registers.write_all,
            b"p": self._registers.read_one, b"P": self._registers.write_one,
            b"m": self._read_memory, b"M": self._write_memory, b"X": self._write_binary,
            b"Z": self._insert, b"z": self._remove,
            b"c": self._continue, b"s": self._step, b"C": self._continue, b"S": self._step,
            b"v": self._multi_letter, b"q": self._query, b"Q": self._set,
            b"H": lambda _rest: OK, b"T": lambda _rest: OK,
            b"D": self._detach, b"k": self._kill,
        }  # fmt: skip

    def receive(self, data: bytes) -> bytes:
        """Return what is to be sent."""
        return b"".join(self._answer(each) for each in self._reader.feed(data))

    def stopped(self) -> bytes:
        """Return what tells that the machine has stopped; nothing, where nobody waits for that."""
        if not self.running:
            return b""
        self.running = False
        return self._send(self._stop_reply())

    def ended(self) -> bytes:
        """Return what tells that the machine has come to its end."""
        self.over = True
        return self._send(b"W00") if self.running else b""

    def _answer(self, each: bytes | GdbWire) -> bytes:
        if each is GdbWire.DAMAGED:
            return b"-" if self._acknowledges else b""
        if each is GdbWire.AGAIN:
            return self._last
        if each is GdbWire.INTERRUPT:
            if self.running:
                self._interrupted = True
                self._target.stop()
            return b""
        assert isinstance(each, bytes)
        acknowledged = b"+" if self._acknowledges else b""
        if self.running:
            return acknowledged  # nobody may ask before the machine has stopped
        reply = self._reply(each)
        said, self._said = self._said, b""
        return acknowledged + said + (b"" if reply is None else self._send(reply))

    def _send(self, payload: bytes) -> bytes:
        self._last = packet(payload)
        return self._last

    def _reply(self, payload: bytes) -> bytes | None:
        command = self._commands.get(payload[:1])
        if command is None:
            return _NOTHING
        try:
            return command(payload[1:])
        except GuestmapError as error:
            return b"E." + str(error).encode("ascii", "replace")
        except ValueError:
            return INVALID

    # -- stops -------------------------------------------------------------------------------------

    def _stop_reply(self) -> bytes:
        hit = self._target.hit
        signal = _SIGINT if self._interrupted else _SIGTRAP
        self._interrupted = False
        where = f"{_WATCHES[hit[0]]}:{hit[1]:x};" if hit else ""
        return f"T{signal:02x}thread:1;{where}".encode()

    def _continue(self, _rest: bytes) -> None:
        self._go(stepping=False)

    def _step(self, _rest: bytes) -> None:
        self._go(stepping=True)

    def _go(self, *, stepping: bool) -> None:
        self._target.go(stepping=stepping)
        self.running = True

    def _multi_letter(self, rest: bytes) -> bytes | None:
        if rest == b"Cont?":
            return b"vCont;c;C;s;S"
        if rest.startswith(b"Cont;"):
            action = rest[5:6]
            if action not in {b"c", b"C", b"s", b"S"}:
                return INVALID
            self._go(stepping=action in {b"s", b"S"})
            return None
        if rest.startswith(b"Kill"):
            self._target.quit()
            self.over = True
            return OK
        return b"E01" if rest.startswith(b"Run") else _NOTHING

    def _detach(self, _rest: bytes) -> bytes:
        self._target.leave()
        self._target.go()
        self.over = True
        return OK

    def _kill(self, _rest: bytes) -> None:
        self._target.quit()
        self.over = True

    # -- memory ------------------------------------------------------------------------------------

    def _read_memory(self, rest: bytes) -> bytes:
        match = _RANGE.fullmatch(rest)
        if match is None or int(match[2], 16) > MAX_PACKET // 2:
            return INVALID
        data = self._target.read(int(match[1], 16), int(match[2], 16))
        return data.hex().encode() or FAULT

    def _write_memory(self, rest: bytes) -> bytes:
        where, _, data = rest.partition(b":")
        return self._write(where, bytes.fromhex(data.decode()))

    def _write_binary(self, rest: bytes) -> bytes:
        where, _, data = rest.partition(b":")
        return self._write(where, data)

    def _write(self, where: bytes, data: bytes) -> bytes:
        match = _RANGE.fullmatch(where)
        if match is None or int(match[2], 16) != len(data):
            return INVALID
        return OK if self._target.write(int(match[1], 16), data) else FAULT

    # -- breakpoints -------------------------------------------------------------------------------

    def _insert(self, rest: bytes) -> bytes:
        return OK if self._target.insert(_point(rest)) else FAULT

    def _remove(self, rest: bytes) -> bytes:
        self._target.remove(_point(rest))
        return OK

    # -- questions ---------------------------------------------------------------------------------

    def _query(self, rest: bytes) -> bytes:
        name, _, argument = rest.partition(b":")
        if name == b"Supported":
            return _FEATURES
        if name == b"Xfer" and argument.startswith(b"features:read:"):
            return self._registers.description(argument.removeprefix(b"features:read:"))
        if rest.startswith(b"Rcmd,"):
            line = bytes.fromhex(rest[5:].decode()).decode(errors="replace")
            return self._monitor(line)
        fixed = {
            b"Attached": b"1", b"C": b"QC1", b"fThreadInfo": b"m1", b"sThreadInfo": b"l",
            b"qemu.PhyMemMode": b"%d" % self._target.physical,
        }  # fmt: skip
        if name == b"ThreadExtraInfo" or rest.startswith(b"ThreadExtraInfo,"):
            return b"CPU#0".hex().encode()
        return fixed.get(name, _NOTHING)

    def _monitor(self, line: str) -> bytes:
        text = self._target.monitor(line).encode()
        for at in range(0, len(text), _SAID):
            self._said += packet(b"O" + text[at : at + _SAID].hex().encode())
        return OK

    def _set(self, rest: bytes) -> bytes:
        if rest == b"StartNoAckMode":
            self._acknowledges = False
            return OK
        if rest.startswith(b"qemu.PhyMemMode:"):
            self._target.physical = rest.endswith(b":1")
            return OK
        return _NOTHING


def _point(rest: bytes) -> Breakpoint:
    match = _POINT.match(rest)
    if match is None:
        raise ValueError(rest)
    return Breakpoint(StopKind(int(match[1])), int(match[2], 16), max(int(match[3], 16), 1))
