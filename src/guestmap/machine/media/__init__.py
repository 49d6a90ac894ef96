"""What drives keep their data on: files as they are, files that are never written, images."""

from guestmap.machine.media.opened import open_medium

__all__ = ["open_medium"]
