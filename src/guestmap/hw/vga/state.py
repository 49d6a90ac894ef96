"""What a guest can change in a VGA, but for its memory."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any

from guestmap.base.bounds import Meta
from guestmap.base.dataclass import dataclass
from guestmap.hw.device import U8, U16, U32
from guestmap.hw.pci.kind import PciState
from guestmap.hw.vga import registers as reg

LITTLE, BIG = 0x1E1E1E1E, 0xBEBEBEBE
"""What the byte order register reads, for each order of the bytes of a pixel."""
CRTC_REGISTERS, PALETTE_SIZE, DISPI_REGISTERS = 256, 768, 10


def _sized(count: int) -> Any:
    return Meta(min_length=count, max_length=count)


@dataclass(slots=True)
class VgaState(PciState):
    """The registers of a VGA.

    Attributes:
        misc, feature: miscellaneous output and feature control.
        status_1: input status 1, whose retrace bits change with each read.
        sequencer, graphics, attribute, crtc: registers by index; ``*_index``: the one in front.
        hidden_sequencer: what counts instead of the sequencer while Bochs' interface is on.
        attribute_index: of which bit 5 lets the palette be seen.
        wants_data: the next write of 3C0h is a register's value, not an index.
        dac_state: 3 while the palette is read, 0 while it is written.
        dac_read, dac_write: which entry; ``dac_part``: which of its three bytes is next.
        dac_cache: bytes of the entry that is being written.
        palette: 256 entries of red, green and blue, 6 bits each (8 where ``dac_8_bit``).
        latch: the four planes' bytes at the last read.
        dispi_index, dispi: Bochs' display interface.
        bank: where the window at A0000h begins in the memory, bytes.
        byte_order: of the bytes of a pixel, by the number that stands for it.
        line_offset, start: bytes of a line and first byte / 4 of what Bochs' interface shows.
    """

    misc: U8 = 0
    feature: U8 = 0
    status_1: U8 = 0
    sequencer_index: U8 = 0
    sequencer: Annotated[list[U8], _sized(len(reg.SEQ_MASKS))] = field(
        default_factory=lambda: [0] * len(reg.SEQ_MASKS)
    )
    hidden_sequencer: Annotated[list[U8], _sized(len(reg.SEQ_MASKS))] = field(
        default_factory=lambda: [0] * len(reg.SEQ_MASKS)
    )
    graphics_index: U8 = 0
    graphics: Annotated[list[U8], _sized(len(reg.GFX_MASKS))] = field(
        default_factory=lambda: [0] * len(reg.GFX_MASKS)
    )
    attribute_index: U8 = 0
    wants_data: bool = False
    attribute: Annotated[list[U8], _sized(len(reg.ATTR_MASKS))] = field(
        default_factory=lambda: [0] * len(reg.ATTR_MASKS)
    )
    crtc_index: U8 = 0
    crtc: Annotated[list[U8], _sized(CRTC_REGISTERS)] = field(
        default_factory=lambda: [0] * CRTC_REGISTERS
    )
    dac_state: U8 = 0
    dac_read: U8 = 0
    dac_write: U8 = 0
    dac_part: Annotated[int, Meta(ge=0, le=2)] = 0
    dac_cache: Annotated[list[U8], _sized(3)] = field(default_factory=lambda: [0] * 3)
    palette: Annotated[bytearray, _sized(PALETTE_SIZE)] = field(
        default_factory=lambda: bytearray(PALETTE_SIZE)
    )
    dac_8_bit: bool = False
    latch: U32 = 0
    dispi_index: U16 = 0
    dispi: Annotated[list[U16], _sized(DISPI_REGISTERS)] = field(
        default_factory=lambda: [reg.DISPI_ID_LAST] + [0] * (DISPI_REGISTERS - 1)
    )
    bank: U32 = 0
    line_offset: U32 = 0
    start: U32 = 0
    byte_order: U32 = LITTLE

    @property
    def has_frame_buffer(self) -> bool:
        """Whether Bochs' interface is on."""
        return bool(self.dispi[reg.DISPI_ENABLE] & reg.DISPI_ENABLED)

    @property
    def has_planes(self) -> bool:
        """Whether the window at A0000h is a VGA's, with planes."""
        return True

    @property
    def in_force(self) -> list[int]:
        """The sequencer's registers that count."""
        is_on = self.dispi[reg.DISPI_ENABLE] & reg.DISPI_ENABLED
        return self.hidden_sequencer if is_on else self.sequencer

    @property
    def size(self) -> tuple[int, int] | None:
        """Dots across and down that a picture has whatever the CRT controller says, or None."""
        if self.has_frame_buffer:
            return self.dispi[reg.DISPI_XRES], self.dispi[reg.DISPI_YRES]
        return None

    @property
    def graphics_lines(self) -> int:
        """Lines of dots in graphics."""
        return self.lines

    @property
    def depth(self) -> int:
        """Bits of a dot where bytes are dots by themselves; 0: 8, and each is shown twice."""
        return self.dispi[reg.DISPI_BPP] if self.has_frame_buffer else 0

    @property
    def pitch(self) -> int:
        """Bytes from one line of dots, or of characters, to the next."""
        return self.line_offset if self.has_frame_buffer else self.crtc[reg.CRTC_OFFSET] << 3

    def is_linear(self, _memory_size: int, _width: int, _height: int) -> bool:
        """Return whether a picture's lines just follow each other, whatever the CRTC says.

        The memory's size, in bytes, and the picture's, in dots, decide with it for some adapters.
        """
        return self.has_frame_buffer

    @property
    def lines(self) -> int:
        """Lines of dots, as the CRT controller counts them."""
        overflow = self.crtc[reg.CRTC_OVERFLOW]
        high = (overflow & 2) << 7 | (overflow & 0x40) << 3
        return (self.crtc[reg.CRTC_DISPLAY_END] | high) + 1

    @property
    def first_cell(self) -> int:
        """The cell, of four bytes, that is shown in the upper left corner."""
        return self.start if self.has_frame_buffer else self.crtc[0x0C] << 8 | self.crtc[0x0D]
