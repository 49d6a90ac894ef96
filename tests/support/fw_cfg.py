"""Reading fw_cfg of a stopped QEMU by DMA: a file of any size in one transfer."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.qemu import Qemu

_DIRECTORY = 0x19
_DMA_HIGH, _DMA_LOW = 0x514, 0x518
_REQUEST, _BUFFER = 0x1000, 0x10000
_SELECT_AND_READ = 0x0A
_PIECE = 0x8000


def read_item(qemu: Qemu, key: int, length: int) -> bytes:
    """Return the first bytes of an item; RAM from 1000h on is written over."""
    qemu.write(_REQUEST, struct.pack(">IIQ", key << 16 | _SELECT_AND_READ, length, _BUFFER))
    qemu.outl(_DMA_HIGH, 0)
    qemu.outl(_DMA_LOW, int.from_bytes(_REQUEST.to_bytes(4, "big"), "little"))
    assert qemu.load(_REQUEST, 4) == 0
    return b"".join(
        qemu.read(_BUFFER + at, min(_PIECE, length - at)) for at in range(0, length, _PIECE)
    )


def read_file(qemu: Qemu, name: str) -> bytes:
    """Return a file's content."""
    (count,) = struct.unpack(">I", read_item(qemu, _DIRECTORY, 4))
    directory = read_item(qemu, _DIRECTORY, 4 + 64 * count)[4:]
    for size, key, _, raw in struct.iter_unpack(">IHH56s", directory):
        if raw.rstrip(b"\0").decode() == name:
            return read_item(qemu, key, size)
    raise LookupError(f"no file {name} in fw_cfg")
