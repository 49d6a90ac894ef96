"""The memory model's own paths beside an older commit: processor time, medians of 15 turns."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import older
from benchmarks.table import Row

_ROUNDS = 15
_PROGRAM = """
import gc, json, time
from guestmap.memory import MemoryListener, MemoryRegionOps, MemorySystem
gc.disable()
times = {}
def timed(name, action, number):
    best = 1e9
    for _ in range(3):
        start = time.process_time()
        for _ in range(number):
            action()
        best = min(best, (time.process_time() - start) / number)
    times[name] = best
memory = MemorySystem()
system = memory.container("system", 1 << 64)
ram = memory.ram("ram", 16 << 20)
system.add_subregion(0, ram)
ops = MemoryRegionOps(read=lambda offset, size: 7, write=lambda offset, value, size: None)
owner = object()
for number in range(64):
    device = memory.io("device", 0x1000, ops, owner=owner)
    system.add_subregion(0xf0000000 + number * 0x1000, device)
space = memory.address_space("memory", system)
timed("load of RAM", lambda: space.load(0x1000, 4), 20_000)
timed("store to RAM", lambda: space.store(0x1000, 4, 7), 20_000)
timed("read of RAM", lambda: space.read(0x1000, 4), 20_000)
timed("write to RAM", lambda: space.write(0x1000, b"1234"), 20_000)
timed("load of a device", lambda: space.load(0xf0000000, 4), 20_000)
timed("store to a device", lambda: space.store(0xf0000000, 4, 7), 20_000)
timed("find", lambda: space.find(0xf0020000), 10_000)
def first():
    space.view.plans.clear()
    for number in range(64):
        space.load(0xf0000000 + number * 0x1000, 4)
timed("64 first loads of devices", first, 100)
timed("a read over RAM and devices", lambda: space.read(0xf0000000, 0x100), 500)
front = memory.alias("front", ram, 0x100000, 0x4000)
system.add_subregion(0xc0000, front, 1)
def switch():
    front.set_enabled(not front.enabled)
timed("a commit: a region on or off", switch, 500)
moving = memory.io("moving", 0x1000, None)
system.add_subregion(0xe0000000, moving, 1)
def move():
    moving.set_address(0xe0000000 if moving.addr > 0xe0000000 else 0xe1000000)
timed("a commit: a region moves", move, 500)
loose = memory.io("loose", 0x1000, None)
def place():
    system.add_subregion(0xe8000000, loose)
    system.del_subregion(loose)
timed("two commits: a region comes and goes", place, 300)
def several():
    with memory.transaction("several"):
        front.set_enabled(not front.enabled)
        moving.set_address(0xe0000000 if moving.addr > 0xe0000000 else 0xe1000000)
        front.set_readonly(not front.readonly)
timed("a commit of three mutations", several, 300)
class Listener(MemoryListener):
    def region_add(self, section): pass
    def region_del(self, section): pass
space.register_listener(Listener())
timed("a commit that is listened to", move, 500)
def build():
    other = MemorySystem()
    root = other.container("root", 1 << 64)
    with other.transaction():
        for number in range(2000):
            root.add_subregion(number * 0x2000, other.io("device", 0x1000, None))
    other.address_space("memory", root)
timed("a map of 2,000 regions", build, 3)
print(json.dumps(times))
"""


def rows() -> list[Row]:
    """Return a row for each path; both commits take turns, each in a process of its own."""
    with older.sources() as then:
        now = older.ROOT / "src"
        rounds = [(_times(now), _times(then) if then else {}) for _ in range(_ROUNDS)]
    first = rounds[0]
    return [
        Row(
            path,
            statistics.median(ours[path] for ours, _ in rounds),
            statistics.median(theirs[path] for _, theirs in rounds) if path in first[1] else None,
            "aim: 1.15",
        )
        for path in first[0]
    ]


def _times(sources: Path) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM],
        env=os.environ | {"PYTHONPATH": str(sources)},
        capture_output=True,
        text=True,
        check=True,
    )
    times: dict[str, float] = json.loads(done.stdout)
    return times
