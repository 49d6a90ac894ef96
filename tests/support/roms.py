"""The ROMs that PCI devices bring along, which come with the distribution's QEMU."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.firmware.option_roms import load_rom


def require_rom(name: str) -> None:
    """Skip the test where our machine finds no such ROM; a QEMU unpacked has its ROMs beside it."""
    try:
        load_rom(name, None)
    except ConfigError as error:
        pytest.skip(str(error))
