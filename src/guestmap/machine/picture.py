"""A guest's screen as a file: a PPM, or a PNG, by Pillow."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from guestmap.base import ConfigError

if TYPE_CHECKING:
    from guestmap.hw.vga.screen import ScreenPicture


def encoded(picture: ScreenPicture, form: str) -> bytes:
    """Return a picture's file; ``form`` is ppm or png.

    Raises:
        ConfigError: Pillow is not there for a PNG.
    """
    size = picture.width, picture.height
    if form == "ppm":
        return b"P6\n%d %d\n255\n" % size + picture.rgb
    file = io.BytesIO()
    pillow("a PNG needs Pillow: pip install 'guestmap[view]', or ask for a PPM").frombytes(
        "RGB", size, picture.rgb
    ).save(file, "PNG")
    return file.getvalue()


def pillow(missing: str = "pictures need Pillow: pip install 'guestmap[view]'") -> Any:
    """Return Pillow's module for images.

    Args:
        missing: what to say where it is not there.

    Raises:
        ConfigError: it is not there.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise ConfigError(missing) from error
    return Image
