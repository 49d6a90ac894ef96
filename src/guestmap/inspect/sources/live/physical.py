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

ITEMS = 4096
"""What one command asks for: bytes, or words of 8. QEMU does nothing else while it prints them."""

_LINE = re.compile(r"[0-9a-f]+:((?: 0x[0-9a-f]{2})+|(?: 0x[0-9a-f]{16})+)\s*")
_LITTLE_ENDIAN = frozenset(
    {"aarch64", "alpha", "arm", "i386", "loongarch64", "riscv32", "riscv64", "x86_64"}
)
"""Architectures, as query-target names them, of which ``xp`` reads a word's first byte as its
lowest."""


def reads_words(monitor: Monitor) -> bool:
    """Tell whether the machine's words say which bytes are in them, and in which order."""
    target = monitor.query("query-target")
    return isinstance(target, dict) and target.get("arch") in _LITTLE_ENDIAN


def read_physical(monitor: Monitor, start: int, size: int, *, words: bool = False) -> bytes:
    """Return guest-physical memory as the machine's first CPU reads it.

    Whoever asks knows that no device answers there, or reads it by bytes.

    Args:
        monitor: of the machine.
        start: guest-physical address.
        size: bytes.
        words: read 8 bytes at a time where there are as many, an eighth of QEMU's work: see
            :func:`reads_words`.

    Raises:
        PeerError: the answer is not what QEMU gives.
    """
    whole = size // 8 if words else 0
    return b"".join((
        *_chunks(monitor, start, whole, width=8),
        *_chunks(monitor, start + 8 * whole, size - 8 * whole, width=1),
    ))  # fmt: skip


def _chunks(monitor: Monitor, start: int, count: int, width: int) -> Iterator[bytes]:
    """Yield what ``count`` items of ``width`` bytes have in them."""
    places = [(at, min(ITEMS, count - at)) for at in range(0, count, ITEMS)]
    lines = [f"xp /{items}x{'bg'[width > 1]} {start + at * width:#x}" for at, items in places]
    for (at, items), text in zip(places, monitor.human_each(lines), strict=True):
        chunk = bytearray()
        for line in text.splitlines():
            matched = _LINE.fullmatch(line)
            if matched is None:
                raise PeerError(
                    f"{monitor.source}: cannot read memory at {start + at * width:#x}:"
                    f" {line.strip()}"
                )
            for item in matched[1].replace("0x", "").split():
                chunk += bytes.fromhex(item)[::-1]
        if len(chunk) != items * width:
            raise PeerError(
                f"{monitor.source}: {len(chunk)} of {items * width} bytes came from"
                f" {start + at * width:#x}"
            )
        yield bytes(chunk)
