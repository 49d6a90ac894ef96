"""One piece of work for each of many, some at a time: for what waits for others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def side_by_side(
    work: Callable[[_Item], _Result], items: Sequence[_Item], most: int
) -> list[_Result]:
    """Return what work returns for each item, in the items' order, or raise what it first raises.

    The threads do not hold up the end of the process: whoever is interrupted is so at once.

    Args:
        work: is called in several threads.
        items: what it is called with.
        most: calls at a time.
    """
    waiting: SimpleQueue[tuple[int, _Item]] = SimpleQueue()
    ended: SimpleQueue[tuple[int, _Result] | BaseException] = SimpleQueue()
    is_over = threading.Event()
    for each in enumerate(items):
        waiting.put(each)

    def run() -> None:
        while not is_over.is_set():
            try:
                number, item = waiting.get_nowait()
                ended.put((number, work(item)))
            except Empty:
                return
            except BaseException as error:  # noqa: BLE001 -- it is raised again for who waits
                ended.put(error)
                return

    for _ in range(min(most, len(items))):
        threading.Thread(target=run, daemon=True).start()
    results: dict[int, _Result] = {}
    try:
        while len(results) < len(items):
            told = ended.get()
            if isinstance(told, BaseException):
                raise told
            results[told[0]] = told[1]
    finally:
        is_over.set()
    return [results[number] for number in range(len(items))]
