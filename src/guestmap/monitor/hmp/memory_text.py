"""What is known of the machine's memory, as text: from the values that QMP's queries return."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from guestmap.base import MIB

QmpObject = Mapping[str, Any]


def memory_devices_text(devices: Iterable[Any]) -> str:
    """Return ``info memory-devices`` from ``query-memory-devices``."""
    return "".join(_memory_device(device["type"], device["data"]) for device in devices)


def _memory_device(kind: str, data: QmpObject) -> str:
    lines = [
        f'Memory device [{kind}]: "{data.get("id", "")}"',
        f"  addr: 0x{data['addr']:x}",
        f"  slot: {data['slot']}",
        f"  node: {data['node']}",
        f"  size: {data['size']}",
        f"  memdev: {data['memdev']}",
        f"  hotplugged: {_word(data['hotplugged'])}",
        f"  hotpluggable: {_word(data['hotpluggable'])}",
    ]
    return "".join(f"{line}\n" for line in lines)


def memory_backends_text(backends: Iterable[Any]) -> str:
    """Return ``info memdev`` from ``query-memdev``."""
    return "".join(_backend(backend) for backend in backends) + "\n"


def _backend(backend: QmpObject) -> str:
    lines = [f"memory backend: {backend['id']}"] if "id" in backend else []
    lines.append(f"  size:  {backend['size']}")
    for name in ("merge", "dump", "prealloc", "share", "reserve"):
        if name in backend:
            lines.append(f"  {name}: {_word(backend[name])}")
    lines.append(f"  policy: {backend['policy']}")
    lines.append(f"  host nodes: {ranges_text(backend['host-nodes'])}")
    return "".join(f"{line}\n" for line in lines)


def memory_size_text(summary: QmpObject) -> str:
    """Return ``info memory_size_summary`` from ``query-memory-size-summary``."""
    text = f"base memory: {summary['base-memory']}\n"
    if "plugged-memory" in summary:
        text += f"plugged memory: {summary['plugged-memory']}\n"
    return text


def balloon_text(balloon: QmpObject) -> str:
    """Return ``info balloon`` from ``query-balloon``."""
    return f"balloon: actual={balloon['actual'] // MIB}\n"


def ranges_text(numbers: Iterable[int]) -> str:
    """Return numbers with their runs drawn together: ``0-3,8``."""
    runs = []
    for _, run in groupby(enumerate(sorted(set(numbers))), lambda pair: pair[1] - pair[0]):
        found = [number for _, number in run]
        runs.append(str(found[0]) if len(found) == 1 else f"{found[0]}-{found[-1]}")
    return ",".join(runs)


def _word(value: bool) -> str:
    return "true" if value else "false"
