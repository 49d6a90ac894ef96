"""Readers take no lock: whatever a writer commits meanwhile, each access sees one whole view."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from guestmap.memory import AddressSpace, MemoryRegionOps, MemorySystem
from tests.memory.invariants import check_everything

COMMITS = 400


@pytest.fixture(autouse=True)
def _switch_often() -> Iterator[None]:
    """Let threads interleave finely."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run_beside(
    writer: Callable[[], None], readers: list[Callable[[], None]]
) -> list[BaseException]:
    """Run readers in threads of their own, over and over, as long as the writer runs."""
    failures: list[BaseException] = []
    stop = threading.Event()
    ready = threading.Barrier(len(readers) + 1)

    def loop(read: Callable[[], None]) -> None:
        ready.wait()
        try:
            while not stop.is_set():
                read()
        except BaseException as error:  # noqa: BLE001  (told to the main thread)
            failures.append(error)

    threads = [threading.Thread(target=loop, args=(read,)) for read in readers]
    for thread in threads:
        thread.start()
    ready.wait()
    try:
        writer()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return failures


class Banks:
    """Two banks of RAM, each full of its own byte, of which one shows at a time."""

    def __init__(self) -> None:
        self.memory = MemorySystem()
        self.root = self.memory.container("root", 1 << 64)
        self.banks = []
        for byte in b"AB":
            bank = self.memory.ram(chr(byte), 0x4000)
            assert bank.buffer is not None
            bank.buffer[:] = bytes([byte]) * 0x4000
            self.root.add_subregion(0, bank)
            self.banks.append(bank)
        self.root.add_subregion(0x8000, self.memory.io("other", 1, None))
        self.space = self.memory.address_space("space", self.root)

    def switch(self, number: int) -> None:
        with self.memory.transaction():
            for index, bank in enumerate(self.banks):
                bank.set_enabled(index == number % 2)


def test_a_read_never_sees_half_a_commit() -> None:
    banks = Banks()
    banks.switch(0)

    def read() -> None:
        assert banks.space.read(0x100, 64) in (b"A" * 64, b"B" * 64)

    def load() -> None:
        assert banks.space.load(0x200, 4) in (0x41414141, 0x42424242)

    def look() -> None:
        view = banks.space.view
        assert [r.region.name for r in view] in (["A", "other"], ["B", "other"])
        section = banks.space.find(0)
        assert section is not None
        assert section.view.find(0) is not None

    failures = run_beside(
        lambda: [banks.switch(n) for n in range(COMMITS)] and None, [read, load, look]
    )
    assert failures == []


def test_what_a_transaction_will_undo_is_never_seen() -> None:
    """Modes of a region change at once; accesses go by what is published."""
    memory = MemorySystem()
    root = memory.container("root", 0x10000)
    calls: list[int] = []

    def called(offset: int, *_: int) -> int:
        calls.append(offset)
        return 0

    flash = memory.rom_device("flash", 0x1000, MemoryRegionOps(read=called, write=called))  # type: ignore[arg-type]
    ram = memory.ram("ram", 0x1000)
    root.add_subregion(0, flash)
    root.add_subregion(0x1000, ram)
    space = memory.address_space("space", root)

    def read() -> None:
        space.load(0x10, 4)
        space.read(0x20, 4)
        space.store(0x1000, 4, 0x12345678)
        assert space.load(0x1000, 4) == 0x12345678

    def write() -> None:
        for _ in range(COMMITS):
            with pytest.raises(KeyError), memory.transaction():  # noqa: PT012  (undone)
                flash.set_romd_mode(False)
                ram.set_readonly(True)
                raise KeyError

    assert run_beside(write, [read]) == []
    assert calls == []


def test_a_route_may_change_under_a_reader() -> None:
    banks = Banks()
    banks.switch(0)
    memory = banks.memory
    box = memory.container("box", 1 << 64)
    window = memory.alias("window", banks.root, 0, 1 << 64)
    box.add_subregion(0, window)
    master = memory.address_space("master", box)

    def read() -> None:
        assert master.read(0, 8) in (b"A" * 8, bytes(8))
        assert master.load(0x100, 2) in (0x4141, 0)

    def write() -> None:
        for number in range(COMMITS):
            window.set_enabled(bool(number % 2))

    assert run_beside(write, [read, read]) == []
    assert master.view is banks.space.view


def test_writers_take_turns() -> None:
    memory = MemorySystem()
    root = memory.container("root", 1 << 64)
    spaces: list[AddressSpace] = [memory.address_space("space", root)]
    regions = [memory.io(f"{n}", 0x100, None) for n in range(4)]

    def writer(number: int) -> Callable[[], None]:
        region = regions[number]

        def write() -> None:
            for step in range(COMMITS // 4):
                with memory.transaction(f"writer {number}"):
                    if region.container is None:
                        root.add_subregion(0x1000 * number + step, region)
                    else:
                        root.del_subregion(region)
                    region.set_size(0x100 + step)
            if region.container is None:
                root.add_subregion(0x1000 * number, region)

        return write

    threads = [threading.Thread(target=writer(number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [r.region.name for r in spaces[0].view] == ["0", "1", "2", "3"]
    check_everything(memory, [root, *regions])
    assert all(
        record.cause in ("", *(f"writer {n}" for n in range(4))) for record in memory.history
    )
