"""The memory of the host that we run on (proc(5)); the machine's own, where it runs here too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from guestmap.base import KIB
from guestmap.inspect.map.report import Report

MEMINFO = Path("/proc/meminfo")
OVERCOMMIT = Path("/proc/sys/vm/overcommit_memory")
VHOST_REGIONS = Path("/sys/module/vhost/parameters/max_mem_regions")

_LINE = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class HostMeminfo(Report):
    """The host's memory, bytes (proc(5), /proc/meminfo).

    Attributes:
        overcommit: /proc/sys/vm/overcommit_memory: 0 obvious excess is refused, 1 nothing is,
            2 what exceeds the commit limit is.
        commit_left: what the commit limit leaves; it counts in mode 2 only.
    """

    total: int
    available: int
    swap_total: int = 0
    swap_free: int = 0
    overcommit: int = 0
    commit_left: int = 0


def read_host_memory(meminfo: Path = MEMINFO, overcommit: Path = OVERCOMMIT) -> HostMeminfo | None:
    """Return the host's memory; None where this is no Linux."""
    try:
        return parse_host_memory(meminfo.read_text(), read_number(overcommit) or 0)
    except OSError:
        return None


def parse_host_memory(text: str, overcommit: int = 0) -> HostMeminfo | None:
    """Return what the text of /proc/meminfo says; None where it lacks the totals."""
    found = {name: int(number) * KIB for name, number in _LINE.findall(text)}
    if not {"MemTotal", "MemAvailable"} <= found.keys():
        return None
    return HostMeminfo(
        total=found["MemTotal"],
        available=found["MemAvailable"],
        swap_total=found.get("SwapTotal", 0),
        swap_free=found.get("SwapFree", 0),
        overcommit=overcommit,
        commit_left=max(0, found.get("CommitLimit", 0) - found.get("Committed_AS", 0)),
    )


def read_number(path: Path) -> int | None:
    """Return the number in a file of /proc or /sys; None where there is none."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
