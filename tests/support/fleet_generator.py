"""Recorded machines without end: real QEMUs' trees, each with other devices and DIMMs in it.

A seed gives the same machines again. Some have what ``guestmap lint`` finds: a device behind RAM, a
region that nobody sees.
"""

from __future__ import annotations

import gzip
import json
import random
import re
from pathlib import Path

TEXTS = Path(__file__).parents[1] / "golden"
_SYSTEM = re.compile(r"^  \S+ \(prio 0, i/o\): system\n(?P<inside>(?:    .*\n)*)", re.MULTILINE)
_CHILD = re.compile(r"^    \S.*\n(?:     .*\n)*", re.MULTILINE)
_DIMMS, _DEVICES = 0x10_0000_0000, 0xE000_0000


def recordings() -> list[str]:
    """Return the trees of real machines: every recording that shows what is below ``system``."""
    found = []
    for path in sorted(TEXTS.glob("*/texts/*.json.gz")):
        texts = json.loads(gzip.decompress(path.read_bytes()))["texts"]
        tree = texts["-D"].replace("\r\n", "\n")
        if _SYSTEM.search(tree):
            found.append(tree)
    return found


def machine(tree: str, number: int, seed: int = 20) -> str:
    """Return one machine: a tree with DIMMs and devices of its own."""
    chance = random.Random(f"{seed} {number}")
    lines = []
    at = _DIMMS
    for slot in range(chance.randrange(5)):
        size = chance.choice((1, 2, 4, 32)) << 30
        lines.append(_line(at, size, 0, "ram", f"memdimm{slot}"))
        at += size
    at = _DEVICES
    for bar in range(chance.randrange(12)):
        size = 1 << chance.randrange(12, 21)
        at = (at + size - 1) & -size
        lines.append(_line(at, size, 1, "i/o", f"nic{bar}-mmio"))
        at += size
    if chance.random() < 0.1:
        lines.append(_line(0x10_0000, 0x1000, -1, "i/o", "hidden"))
    return _SYSTEM.sub(lambda found: _with(found, lines), tree)


def _with(found: re.Match[str], lines: list[str]) -> str:
    """Return the tree below ``system`` with more in it: siblings stand by address."""
    inside = [*_CHILD.findall(found["inside"]), *lines]
    inside.sort(key=lambda each: int(each.split("-", 1)[0], 16))
    return found[0][: found.start("inside") - found.start()] + "".join(inside)


def _line(start: int, size: int, priority: int, kind: str, name: str) -> str:
    return f"    {start:016x}-{start + size - 1:016x} (prio {priority}, {kind}): {name}\n"


def write_fleet(folder: Path, count: int, seed: int = 20) -> Path:
    """Write machines into a folder, each a file; return it."""
    trees = recordings()
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = machine(trees[number % len(trees)], number, seed)
        (folder / f"vm{number:05}.txt").write_text(text, newline="")
    return folder
