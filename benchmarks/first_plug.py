"""The first DIMM that is plugged into a machine, and the last: processor time of the whole process.

Ours and QEMU take turns, each a machine of its own behind a socket, in which nothing but
``query-status`` was asked before. What is counted is what all threads of the process spend from
before the request until some milliseconds after its answer.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from typing import NamedTuple

from benchmarks import spent
from benchmarks.hotplug import Client, machine, ours, theirs
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row

_TURNS = 15
_SLOTS = 255
_DIMM_BYTES = 2 << 20
_SETTLED_S = 0.3
"""A machine has done by then what it does by itself when it starts."""
_AFTER_S = 0.005


class _Plug(NamedTuple):
    """Seconds of the processors that the two requests took."""

    object_add: float
    device_add: float

    @property
    def both(self) -> float:
        """All that plugging a DIMM in takes."""
        return sum(self)


def rows() -> list[Row]:
    """Return the medians of the first of 15 machines each, and of the last 15 DIMMs of one."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/qmp"
        turns = [(_plugged(path, 1, own=True), _plugged(path, 1, own=False)) for _ in range(_TURNS)]
        mine = [each[0][0] for each in turns]
        its = [each[1][0] for each in turns if each[1]]
        all_mine, all_its = (_plugged(path, _SLOTS, own=own) for own in (True, False))
    note = f"median of {_TURNS}"
    return [
        _row("device_add pc-dimm, the first", mine, its, f"{note}; aim: 0.5", "device_add"),
        _row("object-add and device_add, the first", mine, its, note, "both"),
        *(
            _row(f"device_add pc-dimm, {what}", all_mine[part], all_its[part], note, "device_add")
            for what, part in (
                ("the 2nd to 16th", slice(1, 1 + _TURNS)),
                (f"the last 15 of {_SLOTS}", slice(-_TURNS, None)),
            )
        ),
    ]


def _row(what: str, mine: list[_Plug], its: list[_Plug], note: str, part: str) -> Row:
    own, peer = ([getattr(each, part) for each in side] for side in (mine, its))
    return Row(what, statistics.median(own), statistics.median(peer) if peer else None, note)


def _plugged(path: str, count: int, *, own: bool) -> list[_Plug]:
    """Plug DIMMs into one machine; nothing where there is no QEMU and it is asked for."""
    if not own and PROGRAM is None:
        return []
    with machine(ours(path) if own else theirs(path), path) as client:
        for _ in range(3):
            client.ask("query-status")
        time.sleep(_SETTLED_S)
        return [_plug(client, number) for number in range(count)]


def _plug(client: Client, number: int) -> _Plug:
    backend = {"qom-type": "memory-backend-ram", "id": f"m{number}", "size": _DIMM_BYTES}
    first = spent.of_process(client.process)
    client.ask("object-add", **backend)
    time.sleep(_AFTER_S)
    second = spent.of_process(client.process)
    client.ask("device_add", driver="pc-dimm", id=f"d{number}", memdev=f"m{number}")
    time.sleep(_AFTER_S)
    return _Plug(second - first, spent.of_process(client.process) - second)
