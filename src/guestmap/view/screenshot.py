"""A guest's screen as a PNG, by Pillow."""

from __future__ import annotations

import io

from PIL import Image


def png(width: int, height: int, rgb: bytes) -> bytes:
    """Return a picture's file.

    Args:
        width: dots, across.
        height: dots, down.
        rgb: red, green and blue of each, 8 bits each, from the upper left corner.
    """
    file = io.BytesIO()
    Image.frombytes("RGB", (width, height), rgb).save(file, "PNG")
    return file.getvalue()
