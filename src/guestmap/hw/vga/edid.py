"""What the display tells of itself (VESA E-EDID 1.4, with a CTA-861 extension): QEMU's monitor."""

from __future__ import annotations

BLOCK = 128

_MAKER = b"RHT"
_PRODUCT, _WEEK, _YEAR = 0x1234, 42, 2014
_DOTS_PER_INCH, _RATE_HZ = 100, 75
_DIGITAL_8_BIT, _GAMMA_2_2, _FEATURES = 0xA5, 120, 0x06
_SRGB = bytes.fromhex("ee91a3544c99260f5054")
_ESTABLISHED = bytes((1 << 5 | 1 << 0, 1 << 3, 0))
"""640x480, 800x600 and 1024x768, at 60 Hz."""
_STANDARD = (
    (2048, "16:9"), (1920, "16:9"), (1920, "16:10"), (1600, "4:3"), (1680, "16:10"),
    (1440, "16:10"), (1280, "5:4"), (1280, "4:3"),
)  # fmt: skip
_ASPECTS = {"16:10": 0, "4:3": 1, "5:4": 2, "16:9": 3}
_MORE_ESTABLISHED = bytes.fromhex("004082002820") + bytes(6)
"""1280x768, 1360x768, 1440x900, 1600x1200, 1680x1050, 1792x1344 and 1920x1200, at 60 Hz."""
_MOST_RATES = bytes((50, 125, 30, 160, 255, 1))
"""50 to 125 Hz, 30 to 160 kHz, 2550 MHz, and no formula for timings."""
_NAME = b"QEMU Monitor\n"
_VIDEO_CODES = bytes((125, 101, 96, 89, 31, 97))
_DUMMY, _ESTABLISHED_3, _LIMITS, _NAMED = 0x10, 0xF7, 0xFD, 0xFC


def edid(width: int, height: int) -> bytes:
    """Return the blob, 256 bytes.

    Args:
        width: dots of the preferred mode, across.
        height: the same, down.
    """
    first = b"".join(
        (
            b"\0" + b"\xff" * 6 + b"\0",
            _maker(),
            _PRODUCT.to_bytes(2, "little") + bytes(4) + bytes((_WEEK, _YEAR - 1990, 1, 4)),
            bytes((_DIGITAL_8_BIT, _millimetres(width) // 10, _millimetres(height) // 10)),
            bytes((_GAMMA_2_2, _FEATURES)) + _SRGB + _ESTABLISHED,
            b"".join(bytes(((pixels // 8) - 31, _ASPECTS[a] << 6)) for pixels, a in _STANDARD),
            _timing(width, height),
            _descriptor(_ESTABLISHED_3, b"\x0a" + _MORE_ESTABLISHED),
            _descriptor(_LIMITS, _MOST_RATES + b"\n" + b" " * 6),
            _descriptor(_NAMED, _NAME),
            b"\x01",
        )
    )
    codes = bytes((2 << 5 | len(_VIDEO_CODES),)) + _VIDEO_CODES
    second = bytes((2, 3, 4 + len(codes), 0)) + codes + _descriptor(_DUMMY, b"") * 6
    return _summed(first) + _summed(second)


def _maker() -> bytes:
    """Return three letters, 5 bits each."""
    number = 0
    for letter in _MAKER:
        number = number << 5 | letter - ord("@")
    return number.to_bytes(2, "big")


def _millimetres(pixels: int) -> int:
    return pixels * 254 // 10 // _DOTS_PER_INCH


def _timing(width: int, height: int) -> bytes:
    """Return the detailed timing of the preferred mode, 18 bytes."""
    blank, line_blank = width * 35 // 100, height * 35 // 1000
    front, sync = width * 25 // 100, width * 3 // 100
    line_front = line_sync = height * 5 // 1000
    clock = _RATE_HZ * (width + blank) * (height + line_blank) // 10_000
    across, down = _millimetres(width), _millimetres(height)
    fields = [
        width, blank, width >> 8 << 4 | blank >> 8,
        height, line_blank, height >> 8 << 4 | line_blank >> 8,
        front, sync, (line_front & 15) << 4 | line_sync & 15,
        front >> 8 << 6 | sync >> 8 << 4 | line_front >> 4 << 2 | line_sync >> 4,
        across, down, across >> 8 << 4 | down >> 8, 0, 0, 0x18,
    ]  # fmt: skip
    return clock.to_bytes(2, "little") + bytes(each & 0xFF for each in fields)


def _descriptor(tag: int, content: bytes) -> bytes:
    return bytes((0, 0, 0, tag, 0)) + content.ljust(13, b"\0")


def _summed(block: bytes) -> bytes:
    """Return a block filled up, with the byte at its end that makes its sum 0."""
    block = block.ljust(BLOCK - 1, b"\0")
    return block + bytes((-sum(block) & 0xFF,))
