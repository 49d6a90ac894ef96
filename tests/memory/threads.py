"""Threads that read and write one map all the time, and what each of them saw."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.memory import MemorySystem, MemTxResult

if TYPE_CHECKING:
    from collections.abc import Iterator

BELOW, ABOVE = b"below---", b"above---"


class Readers:
    """Readers of a map of which one page is RAM, or other RAM over it (``over``)."""

    def __init__(self, memory: MemorySystem, threads: int) -> None:
        root = memory.container("system", 1 << 32)
        ram, self.over = memory.ram("ram", 1 << 20), memory.ram("over", 0x1000)
        root.add_subregion(0, ram)
        root.add_subregion(0x8000, self.over, 1)
        self.space = memory.address_space("memory", root)
        self.space.write(0x7FF8, BELOW)
        for each, text in ((ram, BELOW), (self.over, ABOVE)):
            block = each.ram_block
            assert block is not None
            at = 0x8000 if each is ram else 0
            block.buffer[at : at + 8] = text
        self.rounds = [0] * threads
        self.failures: list[BaseException] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(i,)) for i in range(threads)]

    @contextmanager
    def running(self) -> Iterator[None]:
        """Have them look all the while; they have ended afterwards."""
        for each in self._threads:
            each.start()
        try:
            yield
        finally:
            self._stop.set()
            for each in self._threads:
                each.join(60)
                assert not each.is_alive()

    def _run(self, number: int) -> None:
        try:
            while not self._stop.is_set():
                self._look(0x1000 + 16 * number, number)
                self.rounds[number] += 1
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the test is about
            self.failures.append(error)

    def _look(self, own: int, number: int) -> None:
        space, into = self.space, bytearray(16)
        assert space.read(0x7FF8, 16) in (BELOW + BELOW, BELOW + ABOVE)
        assert space.read_into(0x7FF8, into) is MemTxResult.OK
        assert bytes(into) in (BELOW + BELOW, BELOW + ABOVE)
        assert space.load(0x8000, 8).to_bytes(8, "little") in (BELOW, ABOVE)
        assert space.store(own, 4, number) is MemTxResult.OK
        assert space.write(own + 8, b"mine") is MemTxResult.OK
        assert space.load(own, 4) == number
        assert space.read(own + 8, 4) == b"mine"
        with space.map(own, 16, is_write=True) as mapping:
            mapping.buffer[12:16] = b"room"
        assert space.read(own + 12, 4) == b"room"
