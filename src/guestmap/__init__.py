"""The guest-physical memory system of a PC virtual machine: modelled, run, read and explained.

Start with :class:`guestmap.memory.MemorySystem` for the model, :mod:`guestmap.machine` for the PC,
:mod:`guestmap.inspect` for the eyes. Nothing heavy is imported here.
"""

__version__ = "0.1.0"
