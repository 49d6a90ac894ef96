"""The CPUs of an x86 board as objects, each with its interrupt controller."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from guestmap.base import MIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from guestmap.firmware import FirmwareConfig
    from guestmap.hw.apic.bus import ApicBus
    from guestmap.hw.kvmvapic import KvmVapic
    from guestmap.machine.config import MachineConfig
    from guestmap.machine.tree import Builder, BusObject
    from guestmap.memory import MemoryRegion, MemorySystem

CPU = "qemu64-x86_64-cpu"


class HasCpus(Protocol):
    """What an x86 board tells of its CPUs."""

    config: MachineConfig
    system: MemorySystem
    system_region: MemoryRegion
    firmware: FirmwareConfig
    apics: ApicBus


def compose_cpus(
    build: Builder,
    board: HasCpus,
    sysbus: BusObject,
    vapic: KvmVapic | None,
    nodes: Mapping[int, int],
) -> None:
    """Make the CPUs, each with its interrupt controller.

    Args:
        build: makes them.
        board: whose they are.
        sysbus: what the option port of the controllers sits on.
        vapic: that port, which comes after the first CPU.
        nodes: the NUMA node of a CPU, where it has one.
    """
    spaces = board.system.address_spaces
    roots = [space.root for space in spaces if space.name.startswith("cpu-smm-")]
    apic_ids = board.firmware.apic_ids[: board.config.cpus]
    for index, (apic, apic_id) in enumerate(zip(board.apics.apics, apic_ids, strict=True)):
        socket, core, thread = board.config.topology.place(index)
        cpu = build.device(
            CPU,
            values={
                "memory": build.tree.region(board.system_region),
                "apic-id": apic_id,
                "socket-id": socket,
                "core-id": core,
                "thread-id": thread,
                "node-id": nodes.get(index, -1),
            },
            regions=partial(_smm_view, roots[index]),
        )  # fmt: skip
        if index:  # one page is shown, and answers for all
            apic.regions = (board.system.io("apic-msi", MIB, None),)
        build.put(apic, parent=cpu, name="lapic")
        if index == 0 and vapic is not None:
            build.put(vapic, sysbus)


def _smm_view(root: MemoryRegion) -> Iterable[MemoryRegion]:
    """Return a CPU's view in system management mode as QEMU makes it: the root, then the rest."""
    return (root, *(each for each in root.subregions if each.name == "memory"),
            *(each for each in root.subregions if each.name != "memory"))  # fmt: skip
