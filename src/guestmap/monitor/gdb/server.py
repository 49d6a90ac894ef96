"""The socket that debuggers come to: one at a time, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.monitor.accepting import Acceptor
from guestmap.monitor.gdb.session import GdbSession
from guestmap.monitor.gdb.target import GdbTarget
from guestmap.monitor.listening import Listener

if TYPE_CHECKING:
    from guestmap.machine import MachineEvent, VirtualMachine
    from guestmap.monitor.address import Address

_LOG = logging.getLogger(__name__)


class GdbServer:
    """Serves debuggers of a machine that was started; a context manager.

    One that connects finds the machine standing still. Its end without a word leaves the machine
    as it is, without breakpoints.

    Args:
        vm: the machine.
        address: where to listen.

    Raises:
        HostError: the host does not let it listen.
        UnsupportedError: the machine's engine does not tell what its guest does.
    """

    def __init__(self, vm: VirtualMachine, address: Address) -> None:
        vm.watching.set(self, ())  # refused here, not when a debugger has come
        self._vm = vm
        self._listener = Listener(address)
        self._client: _Client | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop
        self._end: asyncio.Event
        self._thread = threading.Thread(target=self._run, name="guestmap-gdb", daemon=True)

    @property
    def address(self) -> Address:
        """Where it listens; a port that was given as 0 has its number."""
        return self._listener.address

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        self._vm.events.subscribe(self._happened)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vm.events.unsubscribe(self._happened)
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()
        self._listener.close()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        acceptor = Acceptor(self._listener.socket, self._new_client)
        self._ready.set()
        await self._end.wait()
        await acceptor.close()
        if self._client is not None:
            self._client.tell_end()

    def _new_client(self, _descriptors: object) -> asyncio.Protocol:
        return _Client(self)

    def _happened(self, event: MachineEvent) -> None:
        """Pass on what concerns a debugger; in any thread."""
        if event.name in {"STOP", "SHUTDOWN"}:
            self._loop.call_soon_threadsafe(self._tell, event.name)

    def _tell(self, name: str) -> None:
        if self._client is not None:
            if name == "STOP":
                self._client.tell_stop()
            else:
                self._client.tell_end()

    def take(self, client: _Client) -> GdbTarget | None:
        """Give a client the machine, which stands still then; None where another one has it."""
        if self._client is not None:
            return None
        self._client = client
        target = GdbTarget(self._vm)
        target.stop()
        return target

    def leave(self, client: _Client) -> None:
        """Hear that a client has gone."""
        if self._client is client:
            self._client = None


class _Client(asyncio.Protocol):
    """A connection."""

    def __init__(self, server: GdbServer) -> None:
        self._server = server
        self._target: GdbTarget | None = None
        self._session: GdbSession | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._target = self._server.take(self)
        if self._target is None:
            _LOG.warning("a second debugger was refused: one at a time")
            transport.close()
            return
        self._session = GdbSession(self._target)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._send(self._session.receive(data))

    def tell_stop(self) -> None:
        if self._session is not None:
            self._send(self._session.stopped())

    def tell_end(self) -> None:
        if self._session is not None:
            self._send(self._session.ended())

    def _send(self, data: bytes) -> None:
        assert self._transport is not None
        assert self._session is not None
        self._transport.write(data)
        if self._session.over:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._target is not None:
            self._target.leave()
            self._target = self._session = None
        self._server.leave(self)
