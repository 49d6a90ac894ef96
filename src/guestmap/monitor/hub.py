"""What lives in the loop: the clients, whose command runs where, and who hears of an event."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from guestmap.base import MIB
from guestmap.monitor.answer import answer
from guestmap.monitor.client import Client
from guestmap.monitor.command import Context, Need
from guestmap.monitor.commands.identity import version_of
from guestmap.monitor.feed import EventFeed
from guestmap.monitor.rate import RateLimiter
from guestmap.monitor.turns import Turns
from guestmap.monitor.worker import Worker
from guestmap.qmp import Limits, Session, event_line

if TYPE_CHECKING:
    from guestmap.monitor.rate import Event
    from guestmap.qmp import Request

MAX_CLIENTS = 512
MAX_HELD = 64 * MIB
"""Bytes that are kept for all clients together, asked or unread; then the worst one goes."""

LIMITS = Limits(tokens=1 << 20)
"""Bounds on a message: QEMU's, but for half as many tokens; nobody means a million."""

_PARTING_S = 1.0


class Hub:
    """All clients of one machine.

    Commands that need the machine are carried out one after another, whoever sent them. A short one
    runs in the loop's own thread while nothing else is under way: a thread switch would take
    longer than most of them do. The others go to the worker, and everything behind them too.

    Args:
        context: what commands work on.
        loop: the loop whose thread this is.

    Attributes:
        turns: whose long message is read next.
    """

    def __init__(self, context: Context, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.turns = Turns(loop)
        self._context = context
        self._clients: set[Client] = set()
        self._worker = Worker("guestmap-monitor-worker")
        self._feed = EventFeed(self._wake)
        self._limiter = RateLimiter()
        self._timer: asyncio.TimerHandle | None = None
        self._thread = threading.get_ident()
        self._closing = False

    def start(self) -> None:
        """Begin to listen to the machine."""
        self._worker.start()
        self._context.vm.events.subscribe(self._feed.put)
        self.loop.call_soon(self._context.vm.board.manage.look_up_types)  # nobody waits yet

    async def close(self) -> None:
        """Finish the command that is under way, send what is to be sent, and let everybody go."""
        self._closing = True
        await asyncio.to_thread(self._worker.close)
        self._context.vm.events.unsubscribe(self._feed.put)
        self._tell_all()
        if self._timer is not None:
            self._timer.cancel()
        for client in tuple(self._clients):
            client.close()
        deadline = self.loop.time() + _PARTING_S
        while self._clients and self.loop.time() < deadline:
            await asyncio.sleep(0.005)
        for client in tuple(self._clients):
            client.abort()
        await asyncio.sleep(0)

    # -- clients ---------------------------------------------------------------------------------

    def new_client(self, label: str, descriptors: deque[int]) -> Client:
        """Return a connection that is to come, on the listener of that label."""
        commands = self._context.commands
        session = Session(commands.declarations, version_of(commands.claim), limits=LIMITS)
        return Client(self, session, label, descriptors)

    def add(self, client: Client) -> bool:
        """Take a client in; False where there are too many, and it must go."""
        self._clients.add(client)
        return not self._closing and len(self._clients) <= MAX_CLIENTS

    def forget(self, client: Client) -> None:
        """A client has gone."""
        self._clients.discard(client)

    def check_held(self) -> None:
        """Let go of the client for whom the most is kept, if all together is too much."""
        if sum(client.held for client in self._clients) > MAX_HELD:
            max(self._clients, key=lambda client: client.held).abort()

    def is_connected(self, label: str) -> bool:
        """Tell whether anybody is connected at the listener of that label."""
        return any(client.label == label for client in tuple(self._clients))

    # -- commands --------------------------------------------------------------------------------

    def execute(self, request: Request, client: Client) -> bytes | None:
        """Return the answer, or None: it is under way, and the client will be told."""
        command = self._context.commands[request.command.name]
        self._context.arrived = client.descriptors
        need = command.need_for(request.arguments)
        if need is Need.NOTHING or (need is Need.MACHINE and self._worker.idle):
            return answer(client.session, self._context, command, request)
        if self._closing:
            return None  # the worker takes nothing more, and the client is about to go

        def job() -> None:
            reply = answer(client.session, self._context, command, request)
            # Behind the command's events, which came to the loop before.
            self._in_loop(lambda: client.finished(reply))

        self._worker.submit(job)
        return None

    def execute_at_once(self, request: Request, client: Client) -> bytes:
        """Return the answer to a request out of band."""
        command = self._context.commands[request.command.name]
        return answer(client.session, self._context, command, request)

    # -- events ----------------------------------------------------------------------------------

    def _wake(self) -> None:
        if threading.get_ident() == self._thread:
            self._tell_all()
        else:
            self._in_loop(self._tell_all)

    def _in_loop(self, callback: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody is left to be told
            self.loop.call_soon_threadsafe(callback)

    def _tell_all(self) -> None:
        now = self.loop.time()
        for event in self._feed.take():
            if self._limiter.offer(event, now):
                self._tell(event)
        self._arm()

    def _tell(self, event: Event) -> None:
        data = None if event.data is None else dict(event.data)
        line = event_line(event.name, data, event.time_ns)
        for client in tuple(self._clients):
            client.tell(line)
        self.check_held()

    def _arm(self) -> None:
        deadline = self._limiter.deadline()
        if self._timer is None and deadline is not None:
            self._timer = self.loop.call_at(deadline, self._interval_over)

    def _interval_over(self) -> None:
        self._timer = None
        for event in self._limiter.due(self.loop.time()):
            self._tell(event)
        self._arm()
