"""The floppy controller: registers and phases, the table of commands, and what they do."""

from guestmap.hw.fdc.device import Fdc

__all__ = ["Fdc"]
