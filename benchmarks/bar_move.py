"""One BAR moves in a machine of many functions, each with an address space of its own.

Every device is a ``pci-testdev``; most are behind bridges, because a bus has no more than 256
functions. QEMU gets the same configuration writes over qtest; its time is what they take beyond
reads that change nothing.
"""

from __future__ import annotations

import gc
import statistics
import time

from benchmarks.pci import MASTER, MEMORY, Layout, Machine
from benchmarks.qemu import PROGRAM, QtestQemu
from benchmarks.table import Row

FEW = 10
COUNTS = (100, 1000, 3000, 10_000)
_TURNS = 15
QEMU_LIMIT = {MEMORY: 3000, MEMORY | MASTER: 1000}
"""Beyond it QEMU takes minutes to map the devices."""


def rows() -> list[Row]:
    """Return the time of one move, with and without bus masters, as the machine grows.

    Last, a machine that no firmware makes: every bridge forwards the addresses of all functions.
    """
    measured = []
    for command, what in ((MEMORY, "devices"), (MEMORY | MASTER, "bus masters")):
        measured.append(_in_turns(command, what))
        for count in COUNTS:
            layout = Layout(count)
            theirs = (
                qemu_seconds(layout, command) if PROGRAM and count <= QEMU_LIMIT[command] else None
            )
            measured.append(Row(f"BAR move, {count} {what}", _ours(layout, command), theirs))
    layout = Layout(COUNTS[-1], overlapping=True)
    what = f"BAR move, {COUNTS[-1]} devices, {len(layout.bridges)} overlapping windows"
    measured.append(Row(what, _ours(layout, MEMORY)))
    return measured


def _in_turns(command: int, what: str) -> Row:
    """Return the medians of 15 rounds of a small machine; a round's is its best."""
    layout = Layout(FEW)
    machine = _mapped(layout, command)
    ours, theirs = [], []
    for _ in range(_TURNS):
        ours.append(seconds(machine, layout))
        if PROGRAM:
            theirs.append(qemu_seconds(layout, command))
    peer = statistics.median(theirs) if theirs else None
    note = f"median of {_TURNS}; aim: 0.35"
    return Row(f"BAR move, {FEW} {what}", statistics.median(ours), peer, note)


def _ours(layout: Layout, command: int) -> float:
    return seconds(_mapped(layout, command), layout)


def _mapped(layout: Layout, command: int) -> Machine:
    machine = Machine(layout)
    with machine.memory.transaction():
        machine.write(layout.set_up(command))
    return machine


def seconds(machine: Machine, layout: Layout) -> float:
    """Return the time of one move in a machine whose BARs are set up."""
    gc.collect()
    moves = layout.moves() * 5
    best = float("inf")
    for _ in range(40):
        start = time.perf_counter()
        machine.write(moves)
        best = min(best, time.perf_counter() - start)
    return best / 10


def qemu_seconds(layout: Layout, command: int, *, accel: str = "tcg") -> float:
    """Return the time of one move in QEMU."""
    with QtestQemu("-m", "128M", *layout.qemu_arguments(), accel=accel) as qemu:
        set_up = [f"outl {port:#x} {value:#x}" for port, value in layout.set_up(command)]
        for first in range(0, len(set_up), 500):
            qemu.seconds_each(set_up[first : first + 500], rounds=1)
        moves = [f"outl {port:#x} {value:#x}" for port, value in layout.moves()]
        nothing = qemu.seconds_each([moves[0], "inb 0xcfc"] * 50)
        return 2 * (qemu.seconds_each(moves * 10, rounds=5) - nothing)
