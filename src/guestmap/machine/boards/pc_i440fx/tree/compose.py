"""Compose a machine's tree: every part at the path where QEMU 7.2 has it.

``/machine/unattached/device[N]`` counts the parts in the order in which QEMU realizes them; tools
find the CPUs, the PCI host and plugged devices by these paths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.hw.declare import fact
from guestmap.machine.boards.pc_i440fx.tree import host as host_parts
from guestmap.machine.boards.pc_i440fx.tree import isa as isa_parts
from guestmap.machine.boards.pc_i440fx.tree import pci as pci_parts
from guestmap.machine.boards.pc_i440fx.tree.machine import compose_memory, compose_pc
from guestmap.machine.boards.x86.cpu_objects import compose_cpus
from guestmap.machine.tree.builder import Builder, show_finished
from guestmap.qom import link

if TYPE_CHECKING:
    from guestmap.machine.boards.pc_i440fx.board import Pc
    from guestmap.machine.tree.lookup import MachineTree


def compose(pc: Pc, tree: MachineTree) -> None:
    """Put everything that a completely built machine consists of into its tree.

    Args:
        pc: the machine.
        tree: its tree; back-ends of its memory may be in ``/objects`` already.
    """
    with tree.lock:
        machine = compose_pc(tree, pc)
        build = Builder(tree)
        sysbus = host_parts.compose_sysbus(build, pc)
        compose_memory(build, pc, machine)
        nodes = {cpu: n for n, node in enumerate(pc.acpi.nodes) for cpu in node.cpus}
        compose_cpus(build, pc, sysbus, pc.isa.vapic, nodes)
        host = host_parts.compose_host(build, pc, machine, sysbus)
        root, isa = pci_parts.compose_chipset(build, pc, host)
        build.put(pc.ioapic, sysbus, parent=host, name="ioapic")
        isa_parts.compose_dma_and_pic(build, pc, isa)
        if pc.vga is not None:
            build.put(pc.vga, root)
        if pc.hpet_block:
            build.put(pc.hpet, sysbus)
        clock = isa_parts.compose_timers(build, pc, isa)
        isa_parts.compose_ports(build, pc, isa)
        isa_parts.compose_controllers(build, pc, isa, sysbus)
        if pc.nic is not None:
            build.put(pc.nic, root)
        isa_parts.compose_drives(build, pc, build.put(pc.ide, root))
        usb = pci_parts.compose_usb(build, pc, root)
        pm = pci_parts.compose_power(build, pc, root)
        if usb is not None:
            usb.hotpluggable = pm is not None  # what takes functions out comes after it
        isa_parts.compose_debugcon(build, pc, isa)
        show_finished(machine)
        machine.values |= {
            "rtc_state": clock,
            "rtc-time": lambda: clock.get("date"),
            "smram": tree.region(pc.i440fx.smram),
        }
        if pm is not None:
            machine.add_property(fact("acpi-device", link("hotplug-handler"), ""))
            machine.values["acpi-device"] = pm
