"""Text that a guest writes to a port a byte at a time, handed on a line at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.accel.counters import Counters
    from guestmap.accel.unicorn.internals import Internals
    from guestmap.memory import AddressSpace, MemoryRegion


class LineCollector:
    """Collects at one port, as long as who listens there at first still does.

    Args:
        internals: collect the bytes.
        io: the ports.
        port: the port.
        take: is given what was collected.
        port_out: called for all other OUT, and for the end of a line, as Unicorn's hook of OUT is.
        fail: is given what ``take`` raises.
        counters: what is written is counted there.

    Raises:
        Refused: it cannot be.
    """

    def __init__(
        self,
        internals: Internals,
        io: AddressSpace,
        port: int,
        take: Callable[[bytes], None],
        port_out: Callable[[int, int, int, int], None],
        fail: Callable[[BaseException], object],
        counters: Counters,
    ) -> None:
        self._io = io
        self._port = port
        self._take = take
        self._port_out = port_out
        self._fail = fail
        self._counters = counters
        self._listener = self._find_listener()
        self._lines = internals.collect_lines(port, self._out)

    def _find_listener(self) -> MemoryRegion | None:
        self._view = self._io.source.view
        found = self._io.find(self._port)
        return None if found is None else found.region

    def look(self) -> None:
        """Collect only while the listener is the first one: the map may have changed."""
        if self._io.source.view is not self._view:
            self._lines.collects = self._find_listener() is self._listener

    def hand_on(self) -> None:
        """Hand on what was collected of the line that is being written; it does not raise."""
        if text := self._lines.take():
            self._counters.port_writes += len(text)
            try:
                self._take(text)
            except BaseException as error:  # noqa: BLE001 - raised again when the CPU has left
                self._fail(error)

    def _out(self, uc: int, port: int, size: int, value: int) -> None:
        if port == self._port:
            self.hand_on()
        self._port_out(uc, port, size, value)
        if self._io.source.view is not self._view:
            self.look()
