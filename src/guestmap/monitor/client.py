"""One connection: its session, its requests in order, and what it has not read yet."""

from __future__ import annotations

import asyncio
import select
from collections import deque
from typing import TYPE_CHECKING

from guestmap.base import MIB
from guestmap.qmp import PAUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.monitor.hub import Hub
    from guestmap.qmp import Pause, Request, Session

MAX_UNREAD = 8 * MIB
"""Bytes that may wait for a client; instead of the event that would be too much, it is let go."""

_HIGH_WATER = 256 * 1024
_MAX_WAITING = 8
"""Requests that wait before no more are taken from the socket, as in QEMU (monitor/qmp.c)."""
_AT_ONE_GO = 32
"""Requests of one client before others have their turn."""


class Client(asyncio.Protocol):
    """A client of the monitor. Everything is called in the loop's thread.

    Requests are carried out one after another, and none while the client does not read what the
    last one returned: what waits for it stays bounded without anybody being cut off. Events come
    without being asked for, so there a client that never reads loses its connection.

    Args:
        hub: who carries requests out.
        session: what is known of the protocol with this client.
        label: of the listener that it came through.
        descriptors: those that came over its connection, and that nobody has taken yet.
    """

    def __init__(self, hub: Hub, session: Session, label: str, descriptors: deque[int]) -> None:
        self.session = session
        self.label = label
        self.descriptors = descriptors
        self._hub = hub
        self._transport: asyncio.Transport | None = None
        self._arriving: Iterator[Request | bytes | Pause] | None = None
        self._waiting: deque[tuple[Request | bytes, int]] = deque()  # each with its bytes
        self._unfinished = self._unanswered = self._under_way = 0
        self._busy = self._scheduled = False
        self._is_reading = False  # a long message, in the hub's turns
        self._has_taken = False  # a message, since it last rested
        self._is_full = self._is_paused = self._at_end = False
        self._unread = 0

    @property
    def held(self) -> int:
        """Bytes that are kept for it: a message without an end, requests, and unread replies."""
        unread = 0 if self._transport is None else self._transport.get_write_buffer_size()
        return self._unfinished + self._unanswered + unread

    # -- asyncio's side --------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        if self._hub.add(self):
            transport.write(self.session.greeting())
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Begin with what came."""
        self._unfinished += len(data)
        self._arriving = self.session.steps(data)
        self._pump()
        self._check_held()

    def eof_received(self) -> bool:
        """Forget a client that has gone; one that has only said everything is answered."""
        if self._transport is None or _has_gone(self._transport):
            self._forget()
            return False
        self._at_end = True
        self._pump()
        return True

    def pause_writing(self) -> None:
        """Carry out nothing more until the client reads."""
        self._is_full = True
        self._unread = _HIGH_WATER

    def resume_writing(self) -> None:
        """Go on."""
        self._is_full = False
        self._pump()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's
        """Forget what was asked; a command that is under way is finished without an answer."""
        self._transport = None
        self._forget()
        self._hub.forget(self)

    # -- the hub's side --------------------------------------------------------------------------

    def finished(self, reply: bytes) -> None:
        """Send the answer of a command that was carried out elsewhere, and go on."""
        self._busy = False
        self._unanswered -= self._under_way
        self._send(reply)
        self._pump()

    def tell(self, event: bytes) -> None:
        """Send the line of an event, if the client has introduced itself, and reads."""
        transport = self._transport
        if self.session.negotiating or transport is None or transport.is_closing():
            return
        if self._is_full:
            self._unread += len(event)
            if self._unread > MAX_UNREAD:
                self._unread = transport.get_write_buffer_size()  # it may have read some; slow
                if self._unread > MAX_UNREAD:
                    transport.abort()
                    return
        transport.write(event)

    def read_on(self) -> bool:
        """Read one step of a long message; return whether its end has not come."""
        self._is_reading = self._has_taken = False
        if self._arriving is not None and not self._is_full:
            item = next(self._arriving, None)
            if item is PAUSE:
                self._is_reading = True
                return True
            if item is None:
                self._arriving = None
            else:
                self._accept(item)
        self._pump()
        return False

    def close(self) -> None:
        """End the connection once everything is sent."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.abort()

    # -- one after another -----------------------------------------------------------------------

    def _pump(self) -> None:
        """Carry out what can be now, and leave the rest for later."""
        if self._scheduled:
            self._throttle()
            return
        left = _AT_ONE_GO
        while not self._is_full:
            self._take()
            if self._busy or self._scheduled or not self._waiting:
                break
            if not left:
                self._scheduled = True
                self._hub.loop.call_soon(self._pump_again)
                break
            left -= 1
            self._execute(*self._waiting.popleft())
        self._throttle()

    def _pump_again(self) -> None:
        self._scheduled = False
        self._pump()

    def _take(self) -> None:
        """Take requests apart, as far as there is room; those out of band are carried out."""
        arriving = self._arriving
        if arriving is None or self._is_reading:
            return
        while len(self._waiting) < _MAX_WAITING and not self._is_full:
            item = next(arriving, None)
            if item is PAUSE:
                self._rest()
                return
            if item is None:
                self._arriving = None
                return
            self._accept(item)

    def _rest(self) -> None:
        """Let others have their turn, and come back: for a long message, in the queue of those."""
        if self._has_taken:
            self._has_taken = False
            self._scheduled = True
            self._hub.loop.call_soon(self._pump_again)
        else:
            self._is_reading = True
            self._hub.turns.add(self)

    def _accept(self, item: Request | bytes) -> None:
        self._has_taken = True
        size, self._unfinished = self._unfinished, 0  # with the piece's others, nearly
        if isinstance(item, bytes) or not item.oob:
            self._waiting.append((item, size))
            self._unanswered += size
        else:
            self._send(self._hub.execute_at_once(item, self))

    def _forget(self) -> None:
        self._arriving = None
        self._unanswered -= sum(size for _, size in self._waiting)
        self._waiting.clear()

    def _execute(self, item: Request | bytes, size: int) -> None:
        reply = item if isinstance(item, bytes) else self._hub.execute(item, self)
        if reply is None:
            self._busy, self._under_way = True, size
        else:
            self._unanswered -= size
            self._send(reply)

    def _send(self, reply: bytes) -> None:
        # To who has gone asyncio writes nothing, and logs each time that it does not.
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(reply)
            self._check_held()

    def _check_held(self) -> None:
        """Have all clients looked at, where this one is not a small one."""
        if self.held > _HIGH_WATER:
            self._hub.check_held()

    def _throttle(self) -> None:
        """Read from the socket only as fast as requests are carried out."""
        transport = self._transport
        if transport is None:
            return
        behind = self._arriving is not None
        if behind is not self._is_paused:
            self._is_paused = behind
            if behind:
                transport.pause_reading()
            else:
                transport.resume_reading()
        if self._at_end and not (behind or self._waiting or self._busy):
            transport.close()


def _has_gone(transport: asyncio.Transport) -> bool:
    """Tell whether the other side is closed, and not only for sending; TCP does not show it."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket"), 0)  # a hang-up is always told
    return bool(poll.poll(0))
