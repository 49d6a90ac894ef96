"""The registers of an ATA device: what a guest sets, and what it reads.

Names and bits are those of AT Attachment with Packet Interface - 7 (INCITS 397), sections 5 and 6.
Each of the address registers is two bytes deep: what was in it before the last write counts for
commands with 48-bit addresses, and shows while HOB is set in the device control register.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Literal

from guestmap.base.bounds import Meta, bounded
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U32, U64

ERROR_FEATURES, COUNT, LBA_LOW, LBA_MID, LBA_HIGH, DEVICE, STATUS_COMMAND = range(1, 8)

BSY, DRDY, DF, DSC, DRQ, ERR = 0x80, 0x40, 0x20, 0x10, 0x08, 0x01
ABRT = 0x04

DEVICE_LBA, DEVICE_1, DEVICE_HEAD = 0x40, 0x10, 0x0F
DEVICE_FIXED = 0xA0

CONTROL_HOB, CONTROL_RESET, CONTROL_NO_INTERRUPT = 0x80, 0x04, 0x02

MAX_MULTIPLE = 16
"""Sectors between two interrupts, at most."""
LARGEST_BUFFER = 0x10000

if TYPE_CHECKING:
    Buffer = bytes
else:
    Buffer = bounded(bytes, max_length=LARGEST_BUFFER)

Going = Literal["", "stop", "sectors_read", "sectors_written", "packet_complete", "next_block"]
Waiting = Literal["", "dma_read", "dma_write", "dma_ranges", "dma_answer"]


@dataclass(slots=True)
class AtaState:
    """All that a device remembers.

    Attributes:
        error, feature, count, low, mid, high, device, status: the registers.
        before: what stood in feature, count and the three address registers before.
        sectors: how many the command has yet to move; 0 stands for none.
        wide: whether the command has a 48-bit address.
        multiple: sectors of a DRQ block of READ and WRITE MULTIPLE; 0: those are aborted.
        block: sectors of a DRQ block of the command that runs.
        buffer: the DRQ block that passes through the data register.
        position: how much of it has.
        going: what to do when it has; "" for nothing.
        waiting: what waits for the bus master; "" for nothing.
        heads, track: sectors of a track and heads that cylinders are counted by.
        write_cache, smart: features that are on.
        dma_mode: words 62, 63 and 88 of what IDENTIFY tells.
        packet: the command packet that runs.
        sense: key and additional code of the packet command that failed last.
        lba, rest: the next 2048-byte sector of a packet command, and bytes that it has yet to move.
        reply: what a packet command answers that does not come from the medium.
        locked: whether the guest holds the medium in.
    """

    error: U8 = 0
    feature: U8 = 0
    count: U8 = 1
    low: U8 = 1
    mid: U8 = 0
    high: U8 = 0
    device: U8 = DEVICE_FIXED
    status: U8 = DRDY | DSC
    before: Annotated[bytes, Meta(min_length=5, max_length=5)] = bytes(5)
    sectors: Annotated[int, Meta(ge=0, le=0x10000)] = 0
    wide: bool = False
    multiple: Annotated[int, Meta(ge=0, le=MAX_MULTIPLE)] = MAX_MULTIPLE
    block: Annotated[int, Meta(ge=1, le=MAX_MULTIPLE)] = 1
    buffer: Buffer = b""
    position: Annotated[int, Meta(ge=0, le=LARGEST_BUFFER)] = 0
    going: Going = ""
    waiting: Waiting = ""
    heads: Annotated[int, Meta(ge=0, le=16)] = 0
    track: U8 = 0
    write_cache: bool = True
    smart: bool = True
    dma_mode: Annotated[list[U32], Meta(min_length=3, max_length=3)] = field(
        default_factory=lambda: [7, 7, 0x203F]
    )
    packet: Annotated[bytes, Meta(max_length=12)] = b""
    sense: Annotated[bytes, Meta(min_length=2, max_length=2)] = bytes(2)
    lba: U32 = 0
    rest: U64 = 0
    reply: Buffer = b""
    locked: bool = False

    def check(self) -> None:
        """Keep what must go together, whatever a file says: a position inside the buffer."""
        self.position = min(self.position, len(self.buffer))
