"""The types of everything that a machine is composed of, as tables.

Names, parents, interfaces, properties and defaults are those that QEMU 7.2 tells of itself
(``qom-list-types``, ``qom-list-properties``, ``device-list-properties``).
"""

from guestmap.machine.tree.tables.core import CORE_TYPES
from guestmap.machine.tree.tables.machine import MACHINE_TYPES
from guestmap.machine.tree.tables.system import SYSTEM_TYPES

ALL_TYPES = (*CORE_TYPES, *MACHINE_TYPES, *SYSTEM_TYPES)

__all__ = ["ALL_TYPES"]
