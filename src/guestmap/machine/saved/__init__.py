"""Saved machines: all of a machine in one file, and a machine that goes on from there.

``format`` is the file, ``content`` what is in it, ``ram`` how memory goes in and comes out;
``save`` and ``load`` are the two ways between a machine and a file.
"""

from guestmap.machine.saved.content import SavedMachine
from guestmap.machine.saved.load import load_into, open_saved, restore
from guestmap.machine.saved.save import save

__all__ = ["SavedMachine", "load_into", "open_saved", "restore", "save"]
