"""The text of QEMU's ``info mtree``, both ways.

Read from QEMU 2.x to 11.1, any architecture, and written as any of them does. Sources: the
monitor's own output, and QEMU's docs/devel/memory.rst for what the words mean.
"""

from guestmap.inspect.text.mtree.assemble import assemble, beside
from guestmap.inspect.text.mtree.dialects import dialect_called, dialect_of
from guestmap.inspect.text.mtree.dispatch import dispatch_of
from guestmap.inspect.text.mtree.read import MtreeText, read_mtree
from guestmap.inspect.text.mtree.write import write_live_mtree, write_mtree
from guestmap.inspect.text.mtree.write_flat import write_flat, write_live_flat

__all__ = [
    "MtreeText",
    "assemble",
    "beside",
    "dialect_called",
    "dialect_of",
    "dispatch_of",
    "read_mtree",
    "write_flat",
    "write_live_flat",
    "write_live_mtree",
    "write_mtree",
]
