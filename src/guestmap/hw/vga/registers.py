"""Names of a VGA's registers and bits (IBM VGA; FreeVGA's numbering of them)."""

from __future__ import annotations

# -- ports, counted from 3B0h ---------------------------------------------------------------------
BASE = 0x3B0
COLOUR_CRTC = 0x3D4 - 0x3B4
"""What the CRT controller's ports move by in colour modes."""

MISC_COLOUR = 0x01
"""Miscellaneous output: the CRT controller and status 1 are at 3Dxh, not 3Bxh."""

PALETTE_VISIBLE = 0x20
"""Of the attribute controller's index."""

STATUS_1_RETRACE, STATUS_1_BLANK = 0x08, 0x01

SEQ_MAP_MASK, SEQ_MEMORY_MODE = 2, 4
SEQ_CLOCKING = 1
MAP_MASK_ALL = 0x0F
MEMORY_CHAIN_4 = 0x08

GFX_SET_RESET, GFX_ENABLE_SET_RESET, GFX_COLOUR_COMPARE, GFX_ROTATE = 0, 1, 2, 3
GFX_READ_MAP, GFX_MODE, GFX_MISC, GFX_COLOUR_CARE, GFX_BIT_MASK = 4, 5, 6, 7, 8
MODE_WRITE, MODE_READ_1, MODE_ODD_EVEN = 0x03, 0x08, 0x10
MISC_GRAPHICS = 0x01

CRTC_OVERFLOW, CRTC_END_RETRACE = 7, 0x11
CRTC_PROTECT = 0x80
"""Registers 0 to 7 are read-only, but for bit 4 of register 7 (line compare)."""
OVERFLOW_LINE_COMPARE = 0x10

CRTC_LINE_DISPLAYED, CRTC_MAX_SCAN, CRTC_DISPLAY_END, CRTC_OFFSET = 1, 9, 0x12, 0x13
CRTC_MODE, CRTC_LINE_COMPARE = 0x17, 0x18
MODE_256, MODE_SHIFT = 0x40, 0x60
MISC_MAP, MISC_MAP_64K = 0x0C, 0x04
CLOCKING_HALF = 0x08

SEQ_MASKS = (0x03, 0x3D, 0x0F, 0x3F, 0x0E, 0, 0, 0xFF)
GFX_MASKS = (0x0F, 0x0F, 0x0F, 0x1F, 0x03, 0x7B, 0x0F, 0x0F, 0xFF, 0, 0, 0, 0, 0, 0, 0)
ATTR_MASKS = (*(0x3F,) * 16, 0xEF, 0xFF, 0x3F, 0x0F, 0x0F)
"""Bits of each register that hold what is written."""

# -- Bochs' display interface (its documentation: VBE_DISPI) --------------------------------------
(
    DISPI_ID, DISPI_XRES, DISPI_YRES, DISPI_BPP, DISPI_ENABLE, DISPI_BANK, DISPI_VIRT_WIDTH,
    DISPI_VIRT_HEIGHT, DISPI_X_OFFSET, DISPI_Y_OFFSET, DISPI_MEMORY_64K,
) = range(11)  # fmt: skip
DISPI_ID_FIRST, DISPI_ID_LAST = 0xB0C0, 0xB0C5
DISPI_ENABLED, DISPI_GET_CAPABILITIES, DISPI_8_BIT_DAC = 0x01, 0x02, 0x20
DISPI_KEEP_MEMORY = 0x80
DISPI_MOST_X, DISPI_MOST_Y, DISPI_MOST_BPP = 16000, 12000, 32
