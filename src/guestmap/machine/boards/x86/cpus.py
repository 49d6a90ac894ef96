"""What the CPUs of an x86 board see, and the interrupt controllers inside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel import Processor
from guestmap.base import ADDRESS_SPACE_SIZE, GIB
from guestmap.hw.apic.bus import ApicBus
from guestmap.hw.device import Space
from guestmap.machine.placement import MapPlacer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.base import Clock
    from guestmap.firmware import FirmwareConfig
    from guestmap.hw.apic.local import LocalApic
    from guestmap.machine.board import Board
    from guestmap.memory import AddressSpace, MemoryRegion, MemorySystem


class CpuViews:
    """What each CPU sees, in system management mode too, and their APICs.

    Args:
        system: the memory system.
        root: what every CPU sees.
        clock: for the APICs' timers.
        apic_ids: the IDs after reset, one for each CPU.
        vapic: whether QEMU's kvmvapic option port is there.

    Attributes:
        apics: the local APICs.
        memory, smm_memory: what the first CPU sees, also in system management mode.
    """

    def __init__(
        self,
        system: MemorySystem,
        root: MemoryRegion,
        clock: Clock,
        apic_ids: Sequence[int],
        *,
        vapic: bool = True,
    ) -> None:
        self._system = system
        views, self._smm = [], []
        for n in range(len(apic_ids)):
            views.append(system.address_space(f"cpu-memory-{n}", root))
            smm = system.container("memory", ADDRESS_SPACE_SIZE)
            smm.add_subregion(0, system.alias("memory", root, 0, ADDRESS_SPACE_SIZE))
            self._smm.append(system.address_space(f"cpu-smm-{n}", smm))
        self.memory: AddressSpace = views[0]
        self.smm_memory: AddressSpace = self._smm[0]
        self.apics = ApicBus(clock, apic_ids, vapic=vapic)
        MapPlacer(system).place({Space.MEMORY: root}, self.apics)
        self.apics.apics[0].regions = self.apics.regions

    def connect(self, board: Board) -> None:
        """Have a board be told what messages tell its CPUs."""
        for apic in self.apics.apics:
            self._connect(board, apic)

    def _connect(self, board: Board, apic: LocalApic) -> None:
        apic.init.connect(lambda level: board.on_init(apic.cpu) if level else None)
        apic.smi.connect(lambda level: board.on_smi(apic.cpu) if level else None)
        apic.startup = lambda vector: board.on_startup(apic.cpu, vector)

    def show_smram(self, smram: MemoryRegion) -> None:
        """Let SMRAM lie over the system in what each CPU sees in system management mode."""
        for space in self._smm:
            space.root.add_subregion(0, self._system.alias("smram", smram, 0, 4 * GIB), 1)


def processors_of(firmware: FirmwareConfig) -> tuple[Processor, ...]:
    """Return what each CPU that is there from the start tells of itself."""
    return tuple(
        Processor(apic_id, firmware.cores, firmware.threads)
        for apic_id in firmware.apic_ids[: firmware.cpus]
    )
