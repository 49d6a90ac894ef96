"""Read-copy-update: readers take no lock, updaters wait until nobody can hold the old data.

An update has two phases. *Removal* publishes the new data, so that nobody who starts to read now
can find the old. *Reclamation* gives the old data's resources back, and must wait until everybody
who may have found it has finished. Readers mark where they read with read sections; an updater
waits with :meth:`Rcu.synchronize`, or leaves the waiting to somebody else with :meth:`Rcu.call`.
Only sections that are open when the wait begins are waited for.

A Python object needs none of this: a reader's reference keeps it alive. What its reference count
does not see is what RCU is for: the host address of guest RAM in the hands of an engine, a KVM
slot, a mapping that is about to be unmapped.

Example::

    rcu = Rcu()
    cell = RcuCell(old)

    with rcu.read_section():            # a reader, in any thread
        use(cell.read())

    cell.set(new)                       # the updater: removal ...
    rcu.call(old.unmap)                 # ... and reclamation, after every such reader has left

The names and idioms are those of QEMU's document "Using RCU for synchronization"
(docs/devel/rcu). The argument why it is right, with and without a global interpreter lock, is in
:mod:`guestmap.rcu.readers`.
"""

from guestmap.rcu.cell import RcuCell
from guestmap.rcu.domain import Rcu, RcuStatistics
from guestmap.rcu.linkedlist import RcuList, RcuNode
from guestmap.rcu.readers import ReadSection
from guestmap.rcu.refcount import RefCounted
from guestmap.rcu.resizable import RcuArray

__all__ = [
    "Rcu",
    "RcuArray",
    "RcuCell",
    "RcuList",
    "RcuNode",
    "RcuStatistics",
    "ReadSection",
    "RefCounted",
]
