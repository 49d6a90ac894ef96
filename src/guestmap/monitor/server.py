"""The monitor: QMP on sockets, for as many clients as come, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from guestmap.base import StateError
from guestmap.monitor.accepting import Acceptor
from guestmap.monitor.address import Address, parse_address
from guestmap.monitor.claim import MACHINE_S_OWN, QemuClaim
from guestmap.monitor.command import Context, Endpoint
from guestmap.monitor.commands import command_table
from guestmap.monitor.hub import Hub
from guestmap.monitor.human import HumanLines
from guestmap.monitor.listening import Listener

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine


class MonitorServer:
    """Serves QMP for a machine that was started; a context manager.

    ::

        with VirtualMachine(config) as vm, MonitorServer(vm, ["unix:/run/vm.sock"]):
            vm.start()
            vm.wait()

    Args:
        vm: the machine; its devices are touched inside :meth:`VirtualMachine.exclusive` only.
        addresses: where to listen, as ``-qmp`` takes it or parsed.
        listeners: sockets that listen already; they are closed with the server.
        characters: gives what ``query-chardev`` tells besides the monitors.
        claim: the QEMU that it says it is.

    Raises:
        ConfigError, UnsupportedError: an address that cannot be.
    """

    def __init__(
        self,
        vm: VirtualMachine,
        addresses: Iterable[str | Address],
        *,
        listeners: Iterable[Listener] = (),
        characters: Callable[[], list[Endpoint]] = list,
        claim: QemuClaim = MACHINE_S_OWN,
    ) -> None:
        self._asked = tuple(
            parse_address(each) if isinstance(each, str) else each for each in addresses
        )
        self._vm = vm
        self._listeners = [*listeners]
        self._characters = characters
        self._claim = claim
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ended: asyncio.Event | None = None
        self._started = threading.Event()

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where it listens; a port that was given as 0 has its number."""
        return tuple(listener.address for listener in self._listeners)

    def start(self) -> None:
        """Listen, and serve from now on.

        Raises:
            StateError: it was started before.
            HostError: the host does not let it listen; then it listens nowhere.
        """
        if self._thread is not None:
            raise StateError("the monitor was started before")
        try:
            for number, address in enumerate(self._asked):
                self._listeners.append(Listener(address, _label(number)))
        except BaseException:
            self._close_listeners()
            raise
        self._started.clear()
        self._thread = threading.Thread(target=self._run, name="guestmap-monitor", daemon=True)
        self._thread.start()
        self._started.wait()

    def close(self) -> None:
        """Finish the command that is under way, part from all clients, remove the sockets.

        It may be called twice.
        """
        thread, self._thread = self._thread, None
        if thread is not None and self._loop is not None and self._ended is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            thread.join()
        self._close_listeners()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        context = Context(self._vm, command_table(self._claim), human=HumanLines(self._vm))
        hub = Hub(context, self._loop)
        context.endpoints = lambda: self._endpoints(hub)
        hub.start()
        acceptors = [
            Acceptor(listener.socket, partial(hub.new_client, listener.label))
            for listener in self._listeners
        ]
        self._started.set()
        await self._ended.wait()
        for acceptor in acceptors:
            await acceptor.close()
        for listener in self._listeners:
            listener.socket.close()  # who comes now is refused, and does not wait for a greeting
        await hub.close()

    def _endpoints(self, hub: Hub) -> list[Endpoint]:
        return [
            Endpoint(each.label, each.filename(is_connected), is_connected)
            for each in self._listeners
            for is_connected in (hub.is_connected(each.label),)
        ] + self._characters()

    def _close_listeners(self) -> None:
        while self._listeners:
            self._listeners.pop().close()


def _label(number: int) -> str:
    """Return what QEMU calls the character device of a monitor."""
    return f"compat_monitor{number}"
