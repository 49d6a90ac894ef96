"""What the CPUs of an x86 board see, and the interrupt controllers inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from guestmap.base import ADDRESS_SPACE_SIZE, GIB
from guestmap.hw.apic_bus import ApicBus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.base import Clock
    from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem

APIC_BASE: Final = 0xFEE0_0000
_APIC_PRIORITY = 4096
"""Higher than anything: messages to the APIC never reach memory."""


class CpuViews:
    """One address space for each CPU, their APICs, and later what they see in SMM.

    Args:
        system: the memory system.
        root: what every CPU sees.
        clock: for the APICs' timers.
        apic_ids: the IDs after reset, one for each CPU.

    Attributes:
        apics: the local APICs.
        memory: what the first CPU sees.
    """

    def __init__(
        self, system: MemorySystem, root: MemoryRegion, clock: Clock, apic_ids: Sequence[int]
    ) -> None:
        self._system, self._root = system, root
        views = [system.address_space(f"cpu-memory-{n}", root) for n in range(len(apic_ids))]
        self.memory: AddressSpace = views[0]
        self.apics = ApicBus(system, clock, apic_ids)
        root.add_subregion(APIC_BASE, self.apics.region, _APIC_PRIORITY)

    def build_smm(self, smram: MemoryRegion | None = None) -> None:
        """Build what each CPU would see in system management mode.

        Args:
            smram: what lies over the system then; None for a board that has none.
        """
        for n in range(len(self.apics.apics)):
            root = self._system.container("memory", ADDRESS_SPACE_SIZE)
            window = self._system.alias("smram", smram, 0, 4 * GIB) if smram is not None else None
            root.add_subregion(0, self._system.alias("memory", self._root, 0, ADDRESS_SPACE_SIZE))
            if window is not None:
                root.add_subregion(0, window, 1)
            self._system.address_space(f"cpu-smm-{n}", root)
