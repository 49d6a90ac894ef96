"""Attach to a machine that somebody else runs, and look at its memory map.

Nothing but read-only commands is ever sent::

    with attach("unix:/run/vm.sock") as machine:
        snapshot = machine.snapshot()
"""

from guestmap.inspect.sources.live.attachment import Attachment, MapReading
from guestmap.inspect.sources.live.open import attach

__all__ = ["Attachment", "MapReading", "attach"]
