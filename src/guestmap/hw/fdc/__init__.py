"""The floppy controller: registers and phases, the table of commands, what they do; its drives."""

from guestmap.hw.fdc.device import Fdc
from guestmap.hw.fdc.drive import FloppyDrive

__all__ = ["Fdc", "FloppyDrive"]
