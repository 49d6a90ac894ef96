"""Names of the registers and bits that a CL-GD5446 has beyond a VGA's (its technical reference)."""

from __future__ import annotations

CHIP_ID = 0xB8
SEQUENCER_SIZE, GRAPHICS_SIZE = 0x20, 0x3A

SEQ_UNLOCK, SEQ_EXTENDED, SEQ_CURSOR_X, SEQ_CURSOR_Y = 0x06, 0x07, 0x10, 0x11
SEQ_CURSOR, SEQ_CURSOR_PLACE, SEQ_CONTROL = 0x12, 0x13, 0x17
UNLOCK_KEY, UNLOCKED, LOCKED = 0x17, 0x12, 0x0F
EXTENDED_ON, EXTENDED_DEPTH = 0x01, 0x0E
CURSOR_SHOWN, CURSOR_PALETTE, CURSOR_LARGE = 0x01, 0x02, 0x04
CONTROL_FIXED = 0x38
CONTROL_MMIO, CONTROL_MMIO_LINEAR = 0x04, 0x44
"""Of bits 2 and 6: the blitter's registers are in the window at B8000h, or in the linear one."""

GFX_OFFSET_0, GFX_OFFSET_1, GFX_EXTENSIONS = 0x09, 0x0A, 0x0B
TWO_BANKS, BY_8, WIDE_WRITES, BY_16, STEPS_OF_16K = 0x01, 0x02, 0x04, 0x10, 0x20
"""Of the graphics controller's extensions; bits 2 and 4 together make an address count 16 bytes."""

GFX_WIDTH, GFX_HEIGHT, GFX_TO_PITCH, GFX_FROM_PITCH = 0x20, 0x22, 0x24, 0x26
GFX_TO, GFX_FROM, GFX_SKIP = 0x28, 0x2C, 0x2F
GFX_BLIT_MODE, GFX_BLIT, GFX_ROP, GFX_BLIT_EXTENSIONS, GFX_TRANSPARENT = (
    0x30,
    0x31,
    0x32,
    0x33,
    0x34,
)
GFX_PAPER, GFX_INK = (0x10, 0x12, 0x14), (0x11, 0x13, 0x15)
"""Second, third and fourth byte of the colours; the first is register 0 or 1."""

BLIT_BUSY, BLIT_START, BLIT_RESET, BLIT_FIFO, BLIT_AUTOSTART = 0x01, 0x02, 0x04, 0x10, 0x80
BACKWARDS, TO_CPU, FROM_CPU, TRANSPARENT, PATTERN, EXPAND = 0x01, 0x02, 0x04, 0x08, 0x40, 0x80
DWORDS, INVERTED, SOLID = 0x01, 0x02, 0x04

CRTC_EXTENDED, CRTC_OVERLAY, CRTC_ID, CRTC_INTERLACE = 0x1B, 0x1D, 0x27, 0x1A

MEMORY_SIZE = 4 << 20
BUFFER_SIZE = 8192
"""Bytes of a line that the CPU gives to the blitter, at most."""
