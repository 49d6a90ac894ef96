"""Bytes of a running machine's memory, read with the human monitor's ``xp``.

QEMU writes no file for that: ``pmemsave`` would, on its own host.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.base import PeerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from guestmap.qmp.client.monitor import Monitor

CHUNK = 4096
_LINE = re.compile(r"[0-9a-f]+:((?: 0x[0-9a-f]{2})+)\s*")


def read_physical(monitor: Monitor, start: int, size: int) -> bytes:
    """Return guest-physical memory as the machine's first CPU reads it.

    Whoever asks knows that no device answers there.

    Raises:
        PeerError: the answer is not what QEMU gives.
    """
    return b"".join(_chunks(monitor, start, size))


def _chunks(monitor: Monitor, start: int, size: int) -> Iterator[bytes]:
    for at in range(start, start + size, CHUNK):
        length = min(CHUNK, start + size - at)
        text = monitor.human(f"xp /{length}xb {at:#x}")
        chunk = bytearray()
        for line in text.splitlines():
            matched = _LINE.fullmatch(line)
            if matched is None:
                raise PeerError(f"{monitor.source}: cannot read memory at {at:#x}: {line.strip()}")
            chunk += bytes(int(each, 16) for each in matched[1].split())
        if len(chunk) != length:
            raise PeerError(f"{monitor.source}: {len(chunk)} of {length} bytes came from {at:#x}")
        yield bytes(chunk)
