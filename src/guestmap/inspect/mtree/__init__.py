"""The text of QEMU's ``info mtree``, both ways.

Written as QEMU 7.2 writes it; read from QEMU 2.x to 10.x, any architecture. Sources: the monitor's
own output, and QEMU's docs/devel/memory.rst for what the words mean.
"""

from guestmap.inspect.mtree.assemble import assemble
from guestmap.inspect.mtree.dispatch import dispatch_of
from guestmap.inspect.mtree.read import MtreeText, read_mtree
from guestmap.inspect.mtree.write import write_live_mtree, write_mtree
from guestmap.inspect.mtree.write_flat import write_flat, write_live_flat

__all__ = [
    "MtreeText",
    "assemble",
    "dispatch_of",
    "read_mtree",
    "write_flat",
    "write_live_flat",
    "write_live_mtree",
    "write_mtree",
]
