"""The text of QEMU's ``info ramblock``: the blocks of RAM and their places.

QEMU prints one line for each block (system/physmem.c, ``ram_block_format``): name, page size,
offset, used length, total length; since 8.2 also the host address and ``ro`` or ``rw``.
"""

from __future__ import annotations

import re

from guestmap.base import PeerError
from guestmap.inspect.map.snapshot import RamBlockInfo

_HEADER = re.compile(r" *Block Name +PSize +Offset +Used +Total")
_REST = (
    r" +\d+ [KMGTPE]?i?B +"
    r"0x(?P<offset>[0-9a-f]{16}) 0x(?P<used>[0-9a-f]{16}) 0x(?P<total>[0-9a-f]{16})"
    r"(?: +0x[0-9a-f]+)?(?: +r[ow])? *"
)
_PLAIN = re.compile(rf" *(?P<name>\S+){_REST}")
"""A name without spaces, as nearly all have: found without trying every length of it."""

_BLOCK = re.compile(rf" *(?P<name>.*?){_REST}")


def read_ramblock(text: str) -> tuple[RamBlockInfo, ...]:
    r"""Read the output of ``info ramblock``; lines may end in ``\n`` or ``\r\n``.

    A block without a name is a memory backend that no device maps yet.

    Raises:
        PeerError: a line is of no such form; says its number.
    """
    blocks: list[RamBlockInfo] = []
    for number, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        match = _PLAIN.fullmatch(line)
        if match is None:
            if not line.strip() or line.startswith("(qemu)") or _HEADER.match(line):
                continue
            match = _BLOCK.fullmatch(line)
        if match is None:
            raise PeerError(
                f"info ramblock text, line {number}: expected 'NAME PAGE-SIZE OFFSET USED TOTAL',"
                f" found {line[:120]!r}"
            )
        name, offset, used, total = match.groups()
        blocks.append(RamBlockInfo(name, int(offset, 16), int(used, 16), int(total, 16)))
    return tuple(blocks)
