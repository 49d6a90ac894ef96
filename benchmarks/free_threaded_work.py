"""What one CPython needs for a load of RAM, a read of RAM and an attribute; run in each of two."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable

from guestmap.memory import MemorySystem

COUNT = 200_000
ROUNDS = 9


class Thing:
    """Something with an attribute."""

    __slots__ = ("value",)

    def __init__(self) -> None:
        self.value = 7


def works() -> dict[str, Callable[[], None]]:
    """Return what is done, ``COUNT`` times each."""
    memory = MemorySystem()
    system = memory.container("system", 1 << 32)
    system.add_subregion(0, memory.ram("ram", 1 << 20))
    space, thing = memory.address_space("memory", system), Thing()

    def attribute() -> None:
        for _ in range(COUNT):
            thing.value  # noqa: B018 -- eight, so that the loop's own time is little beside them
            thing.value  # noqa: B018
            thing.value  # noqa: B018
            thing.value  # noqa: B018
            thing.value  # noqa: B018
            thing.value  # noqa: B018
            thing.value  # noqa: B018
            thing.value  # noqa: B018

    def load() -> None:
        load = space.load
        for _ in range(COUNT):
            load(0x1000, 4)

    def read() -> None:
        read = space.read
        for _ in range(COUNT):
            read(0x1000, 32)

    return {"attribute": attribute, "load": load, "read": read}


def spent(work: Callable[[], None], threads: int) -> float:
    """Return the processor time of one step in each of so many threads, in seconds."""
    found = []
    for _ in range(ROUNDS):
        runners = [threading.Thread(target=work) for _ in range(threads)]
        start = time.process_time()
        for each in runners:
            each.start()
        for each in runners:
            each.join()
        found.append((time.process_time() - start) / (threads * COUNT))
    return min(found)


def main() -> None:
    """Print it all as JSON: for each work, one thread's time and each of two threads'."""
    found = {name: [spent(work, 1), spent(work, 2)] for name, work in works().items()}
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
