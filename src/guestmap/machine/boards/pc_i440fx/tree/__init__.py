"""The PC's parts as objects, at the paths where QEMU 7.2 has them."""

from guestmap.machine.boards.pc_i440fx.tree.compose import compose

__all__ = ["compose"]
