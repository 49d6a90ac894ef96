"""The ROMs that PCI devices bring along, which come with the distribution's QEMU."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError
from guestmap.firmware.option_roms import load_rom
from tests.support.needs import skip_without
from tests.support.qemu_program import is_unpacked


def require_rom(name: str) -> None:
    """Skip the test where our machine finds no such ROM.

    ``GUESTMAP_REQUIRE=qemu`` turns the skip into a failure where QEMU is the distribution's; one
    that was unpacked has its ROMs beside it, and the distribution may have none.
    """
    try:
        load_rom(name, None)
    except ConfigError as error:
        if is_unpacked():
            pytest.skip(str(error))
        skip_without("qemu", str(error))
