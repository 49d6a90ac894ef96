"""Long messages, read in steps: one step of one client for each turn of the loop."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol


class Reader(Protocol):
    """Who has a long message before it."""

    def read_on(self) -> bool:
        """Read one step; return whether the end of the message has not come."""
        ...


class Turns:
    """Readers in a queue; everything is called in the loop's thread.

    The first one reads its message to the end before the next begins with its own, so that only one
    long message at a time takes the room that its value needs. Between two steps the loop serves
    everybody whose messages are short.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._readers: deque[Reader] = deque()
        self._scheduled = False

    def add(self, reader: Reader) -> None:
        """Let a reader have a turn, after those that wait."""
        self._readers.append(reader)
        self._schedule()

    def _schedule(self) -> None:
        if self._readers and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        reader = self._readers.popleft()
        try:
            if reader.read_on():
                self._readers.appendleft(reader)
        finally:
            self._schedule()
