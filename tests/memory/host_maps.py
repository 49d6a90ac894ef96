"""What this process has mapped and open, as the kernel says."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.memory.ram import AnonymousRam, MemfdRam, RamBlock


class Vma(NamedTuple):
    """One line of /proc/self/maps."""

    start: int
    end: int
    access: str
    name: str


def maps() -> str:
    """Return the mappings of this process, a line each (proc(5))."""
    return Path("/proc/self/maps").read_text(encoding="utf-8")


def vmas(name: str = "") -> list[Vma]:
    """Return all mappings of this process, or those in whose line the name is."""
    found = []
    for line in maps().splitlines():
        if name not in line:
            continue
        fields = line.split(maxsplit=5)
        start, end = (int(word, 16) for word in fields[0].split("-"))
        found.append(Vma(start, end, fields[1], fields[5] if len(fields) > 5 else ""))
    return found


def mapped(name: str) -> list[Vma]:
    """Return the mappings whose file has ``name`` in its own."""
    return [vma for vma in vmas(name) if name in vma.name]


def smaps_flags(address: int) -> set[str]:
    """Return the two-letter flags of the mapping at an address (proc(5), VmFlags)."""
    here = False
    for line in Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines():
        word = line.split(maxsplit=1)[0]
        if "-" in word and not word.endswith(":"):
            start, end = (int(part, 16) for part in word.split("-"))
            here = start <= address < end
        elif here and word == "VmFlags:":
            return set(line.split()[1:])
    return set()


def resident(address: int, length: int) -> int:
    """Return how many bytes of a range, in whole pages, are in memory (pagemap, bit 63)."""
    page = os.sysconf("SC_PAGESIZE")
    with open("/proc/self/pagemap", "rb") as pagemap:
        pagemap.seek(address // page * 8)
        words = pagemap.read(length // page * 8)
    return page * sum(words[i + 7] >> 7 for i in range(0, len(words), 8))


def open_files() -> set[str]:
    """Return what the open file descriptors lead to."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the listing's own
            found.add(os.readlink(f"/proc/self/fd/{fd}"))
    return found


def named_ram(memory: MemorySystem, name: str, size: int = 0x4000) -> MemoryRegion:
    """Return RAM that :func:`mapped` finds by its name."""
    return memory.ram(name, size, backend=MemfdRam())


def block_of(region: MemoryRegion) -> RamBlock:
    """Return the block of a region that has one."""
    assert region.ram_block is not None
    return region.ram_block


SMALL = AnonymousRam(huge_pages=False)
"""Anonymous memory that costs the pages that are touched."""
