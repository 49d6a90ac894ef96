"""CPUs, the host bridge, and what hangs on the system bus."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from guestmap.base import GIB, MIB
from guestmap.hw import ioapic
from guestmap.hw.pci import PciBridge
from guestmap.hw.pci.windows import prefetch_window
from guestmap.machine.composition.hardware import attribute_map
from guestmap.machine.composition.machine_object import make_sysbus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from guestmap.hw.misc_ports import KvmVapic
    from guestmap.hw.pci import PciFunction
    from guestmap.machine.boards.microvm.board import Microvm
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.composition.builder import Builder
    from guestmap.machine.composition.objects import Adapter, BusObject, DeviceObject
    from guestmap.memory import MemoryRegion

CPU = "qemu64-x86_64-cpu"
WIRES = 28
"""Lines between chips: one to the CPU, 24 global ones, two of the A20 gate, and the SMI's."""
_HOLE64_SIZE = 2 * GIB


def compose_sysbus(build: Builder, pc: Pc) -> BusObject:
    """Make the system bus and the lines between chips."""
    sysbus = make_sysbus(build)
    build.wires = build.irqs(build.unattached, "non-qdev-gpio", WIRES - (pc.pm is None))
    for line, wire in zip((pc.pic.intr, *pc.lines), build.wires, strict=False):
        build.tree.wires[id(line)] = wire
    return sysbus


def compose_cpus(
    build: Builder,
    board: Pc | Microvm,
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


def compose_host(build: Builder, pc: Pc, machine: Adapter, sysbus: BusObject) -> DeviceObject:
    """Make the configuration channel and the host bridge, and return the bridge."""
    build.put(pc.fw_cfg, sysbus, parent=machine, name="fw_cfg")
    mechanism = pc.config_mechanism
    mechanism.regions = (*mechanism.regions, *attribute_map(pc.i440fx))
    host = build.put(mechanism, sysbus, parent=machine, name="i440fx")
    host.values |= {
        "pci-hole-start": pc.layout.below,
        "pci-hole-end": ioapic.ADDRESS,
        "pci-hole64-start": lambda: _high_hole(pc)[0],
        "pci-hole64-end": lambda: _high_hole(pc)[1],
    }
    return host


def _high_hole(pc: Pc) -> tuple[int, int]:
    """Return where PCI has its addresses above 4 GiB: the first, and the one after the last.

    It lies behind everything that is or may be memory, and takes in what firmware has placed.
    """
    windows = [window for device in pc.bus.devices.values() for window in _high_windows(device)]
    start = min((first for first, _ in windows), default=_above_memory(pc))
    end = -(-(start + _HOLE64_SIZE) // GIB) * GIB
    return start, max([end, *(last for _, last in windows)])


def _high_windows(device: PciFunction[Any]) -> Iterator[tuple[int, int]]:
    """Yield first address, and the one after the last, of a function's windows above 4 GiB."""
    for bar in device.bars:
        if bar.address is not None and not bar.is_io and bar.address + bar.size > 4 * GIB:
            yield max(bar.address, 4 * GIB), bar.address + bar.size
    if isinstance(device, PciBridge):
        first, size = prefetch_window(device.config)
        if first + size > 4 * GIB:
            yield max(first, 4 * GIB), first + size


def _above_memory(pc: Pc) -> int:
    ram = pc.layout
    end = ram.above_start + ram.above
    if pc.device_memory is not None:
        end = pc.device_memory.start + pc.device_memory.size
    return -(-end // GIB) * GIB
