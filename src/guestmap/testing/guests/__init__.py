"""Bare-metal guests for tests, as option ROMs that SeaBIOS boots, and a console to talk to them.

The guests are assembly source, assembled when they are asked for; that takes ``nasm``.
"""

from __future__ import annotations

from pathlib import Path

from guestmap.testing.guests.console import ConsoleError, SerialConsole
from guestmap.testing.guests.rom import ASSEMBLER, assemble, option_rom

__all__ = ["ASSEMBLER", "ConsoleError", "SerialConsole", "assemble", "hotplug_guest", "option_rom"]

_HOTPLUG = Path(__file__).parent / "hotplug" / "guest.asm"


def hotplug_guest() -> bytes:
    """Return the option ROM of a guest that takes part in memory hot-plug.

    What it says and understands on the serial port stands at the top of ``hotplug/guest.asm``. It
    runs on QEMU (``-option-rom FILE -nodefaults -vga none``) as on our machine.

    Raises:
        UnsupportedError: there is no ``nasm`` on this host.
    """
    return option_rom(assemble(_HOTPLUG))
