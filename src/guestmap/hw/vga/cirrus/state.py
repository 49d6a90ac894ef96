"""What a guest can change in a CL-GD5446, and what its screen takes from it."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16
from guestmap.hw.vga import registers as vga
from guestmap.hw.vga.cirrus import registers as reg
from guestmap.hw.vga.state import VgaState

_DEPTHS = {0x00: 8, 0x02: 16, 0x04: 24, 0x06: 16, 0x08: 32}
"""Bits of a dot, by bits 1 to 3 of the extended mode."""
_RGB_565 = 1
_INTERLACED = 0x01


def _sized(count: int) -> Any:
    return Meta(min_length=count, max_length=count)


def _sequencer() -> list[int]:
    """Return the sequencer's registers as they are after a reset: 4 MiB of memory, locked."""
    known = {reg.SEQ_UNLOCK: reg.LOCKED, 0x0F: 0x98, 0x15: 0x04, reg.SEQ_CONTROL: 0x20, 0x1F: 0x2D}
    return [known.get(index, 0) for index in range(reg.SEQUENCER_SIZE)]


def _graphics() -> list[int]:
    return [0x0F if index == 0x18 else 0 for index in range(reg.GRAPHICS_SIZE)]


def _crtc() -> list[int]:
    return [reg.CHIP_ID if index == reg.CRTC_ID else 0 for index in range(256)]


@dataclass(slots=True)
class Blit:
    """A transfer of the blitter, as it was started.

    Attributes:
        width, height: bytes of a line, and lines.
        to, to_pitch: where it goes, and how far its lines are apart; bytes.
        source, source_pitch: where it comes from.
        mode, extensions: as the registers were.
        pixel: bytes of a dot, 1 to 4.
        rop: number of the raster operation.
        ink, paper: colours that bits become.
        awaited: bytes that the CPU has still to give, all lines together.
        filled, wanted: bytes of the line that have come, and that make it whole.
        is_first: whether none has ended before; the map is looked at when the first does.
    """

    width: int = 1
    height: int = 1
    to: int = 0
    to_pitch: int = 0
    source: int = 0
    source_pitch: int = 0
    mode: U8 = 0
    extensions: U8 = 0
    pixel: Annotated[int, Meta(ge=1, le=4)] = 1
    rop: U8 = 0
    ink: int = 0
    paper: int = 0
    awaited: int = 0
    filled: Annotated[int, Meta(ge=0, le=reg.BUFFER_SIZE)] = 0
    wanted: Annotated[int, Meta(ge=0, le=reg.BUFFER_SIZE)] = 0
    is_first: bool = True

    @property
    def is_fed(self) -> bool:
        """Whether it waits for bytes from the CPU."""
        return self.filled != self.wanted


@dataclass(slots=True)
class CirrusState(VgaState):
    """The registers of a CL-GD5446.

    Attributes:
        hidden_dac: the hidden register behind 3C6h; ``hidden_dac_step``: how often in a row that
            was read, of which the fourth time opens it.
        paper, ink: the whole of registers 0 and 1 of the graphics controller, of which a VGA sees
            four bits.
        cursor_palette: sixteen colours of the cursor, of which the first and the last are used.
        cursor_x, cursor_y: its place.
        banks: where the two halves of the window at A0000h begin in the memory, and how many bytes
            each reaches.
        is_mapped: whether the memory shows itself in the linear window; ``shown``: from where on it
            does so in the two halves of the window at A0000h, -1 where it does not.
        blit: the blitter's last transfer; ``buffer``: the line that the CPU gives it.
    """

    sequencer_index: U8 = 0
    sequencer: Annotated[list[U8], _sized(reg.SEQUENCER_SIZE)] = field(default_factory=_sequencer)
    graphics: Annotated[list[U8], _sized(reg.GRAPHICS_SIZE)] = field(default_factory=_graphics)
    crtc: Annotated[list[U8], _sized(256)] = field(default_factory=_crtc)
    hidden_dac: U8 = 0
    hidden_dac_step: U8 = 5
    paper: U8 = 0
    ink: U8 = 0
    cursor_palette: Annotated[bytearray, _sized(48)] = field(default_factory=lambda: bytearray(48))
    cursor_x: U16 = 0
    cursor_y: U16 = 0
    banks: Annotated[list[Annotated[list[int], _sized(2)]], _sized(2)] = field(
        default_factory=lambda: [[0, 0], [0, 0]]
    )
    is_mapped: bool = False
    shown: Annotated[list[int], _sized(2)] = field(default_factory=lambda: [-1, -1])
    blit: Blit = field(default_factory=Blit)
    buffer: Annotated[bytearray, _sized(reg.BUFFER_SIZE)] = field(
        default_factory=lambda: bytearray(reg.BUFFER_SIZE)
    )

    @property
    def is_extended(self) -> bool:
        """Whether memory is used as by a Cirrus, not as by a VGA."""
        return bool(self.sequencer[reg.SEQ_EXTENDED] & reg.EXTENDED_ON)

    @property
    def has_planes(self) -> bool:
        """Whether the window at A0000h is a VGA's, with planes."""
        return not self.is_extended

    @property
    def shift(self) -> int:
        """Return by how many bits an address of a window counts more than bytes."""
        extensions = self.graphics[reg.GFX_EXTENSIONS]
        if extensions & (reg.BY_16 | reg.WIDE_WRITES) == reg.BY_16 | reg.WIDE_WRITES:
            return 4
        return 3 if extensions & reg.BY_8 else 0

    @property
    def writes_wide(self) -> bool:
        """Whether each bit of a written byte becomes a dot (write modes 4 and 5)."""
        mode = self.graphics[vga.GFX_MODE] & 7
        return mode in (4, 5) and bool(self.graphics[reg.GFX_EXTENSIONS] & reg.WIDE_WRITES)

    # -- what the screen shows -----------------------------------------------------------------

    @property
    def depth(self) -> int:
        """Bits of a dot where bytes are dots by themselves; 0: 8, and each is shown twice."""
        if not self.is_extended:
            return 0
        depth = _DEPTHS.get(self.sequencer[reg.SEQ_EXTENDED] & reg.EXTENDED_DEPTH, 8)
        return 15 if depth == 16 and self.hidden_dac & 0x0F != _RGB_565 else depth

    @property
    def pitch(self) -> int:
        """Bytes from one line to the next."""
        high = (self.crtc[reg.CRTC_EXTENDED] & 0x10) << 4
        return (self.crtc[vga.CRTC_OFFSET] | high) << 3

    @property
    def graphics_lines(self) -> int:
        """Lines of dots in graphics: twice as many where they are interlaced."""
        return self.lines << (self.crtc[reg.CRTC_INTERLACE] & _INTERLACED)

    @property
    def first_cell(self) -> int:
        """The cell, of four bytes, that is shown in the upper left corner."""
        extended = self.crtc[reg.CRTC_EXTENDED]
        high = (extended & 0x01) << 16 | (extended & 0x0C) << 15
        high |= (self.crtc[reg.CRTC_OVERLAY] & 0x80) << 12
        return self.crtc[0x0C] << 8 | self.crtc[0x0D] | high

    def is_linear(self, memory_size: int, width: int, height: int) -> bool:
        """Return whether lines follow each other: in true colours, unless something is in between.

        That is how QEMU shows them: without a cursor, and where no line goes round the memory's
        end, it shows the memory itself and asks the CRT controller for no more than the pitch.
        """
        if self.depth not in (16, 24, 32) or self.sequencer[reg.SEQ_CURSOR] & reg.CURSOR_SHOWN:
            return False
        end = 4 * self.first_cell + self.pitch * (height - 1) + width * self.depth // 8
        return end <= memory_size
