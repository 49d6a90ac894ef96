"""The commands that there are; names and arguments as in QEMU's monitor (QEMU, "QEMU Monitor")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.monitor.hmp import (
    control,
    dump,
    hotplug,
    machine_text,
    maps,
    memory_text,
    numa,
    pci_text,
    ports,
    qom,
    qtree,
    registers,
    snapshots,
)
from guestmap.monitor.hmp.arguments import (
    DottedNumber,
    Flag,
    FormatArgument,
    Number,
    Options,
    Rest,
    Word,
)
from guestmap.monitor.hmp.command import Command, showing
from guestmap.monitor.hmp.helping import help_text

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import Context


def _help(_context: Context, values: Values) -> str:
    return help_text(COMMANDS, str(values.get("name", "")))


def _info(_context: Context, _values: Values) -> str:
    return help_text(COMMANDS, "info")


_MTREE = (
    Flag("flat", letter="f"),
    Flag("dispatch", letter="d"),
    Flag("owner", letter="o"),
    Flag("disabled", letter="D"),
)
_DUMP = (FormatArgument("format"), Number("address"))
_PORT = (FormatArgument("format"), Number("address", bits=32))

_INFO = (
    Command(
        "cpus", showing("query-cpus-fast", machine_text.cpus_text), about="the CPUs"
    ),
    Command(
        "hotpluggable-cpus",
        showing("query-hotpluggable-cpus", machine_text.hotpluggable_cpus_text),
        about="where there are CPUs, or could be",
    ),
    Command(
        "kvm", showing("query-kvm", machine_text.kvm_text), about="whether KVM runs the guest"
    ),
    Command(
        "memdev", showing("query-memdev", memory_text.memory_backends_text),
        about="the memory back-ends",
    ),
    Command(
        "memory-devices", showing("query-memory-devices", memory_text.memory_devices_text),
        about="the memory that is plugged in",
    ),
    Command(
        "memory_size_summary",
        showing("query-memory-size-summary", memory_text.memory_size_text),
        about="bytes of memory at the start, and plugged in since",
    ),
    Command(
        "mtree", maps.info_mtree, _MTREE, "[-f][-d][-o][-D]",
        "the memory map: trees of regions, or with -f flat views (-d: and how they are looked up;"
        " -o: who owns what; -D: disabled regions too)",
    ),
    Command(
        "name", showing("query-name", machine_text.name_text), about="what the machine is called"
    ),
    Command("numa", numa.info_numa, about="the NUMA nodes: their CPUs and their memory"),
    Command("pci", showing("query-pci", pci_text.pci_text), about="the PCI functions"),
    Command(
        "qom-tree", qom.info_qom_tree, (Word("path", optional=True),), "[path]",
        "the objects of the machine, or those below a path",
    ),
    Command("qtree", qtree.info_qtree, about="the devices by their buses"),
    Command("ramblock", maps.info_ramblock, about="the blocks of RAM"),
    Command(
        "registers", registers.info_registers,
        (Flag("all", letter="a"), Number("vcpu", optional=True, bits=32)), "[-a|vcpu]",
        "what is in the registers of a CPU (-a: of all)",
    ),
    Command("snapshots", snapshots.info_snapshots, about="the saved machines"),
    Command(
        "status", showing("query-status", machine_text.status_text),
        about="whether the machine runs",
    ),
    Command(
        "uuid", showing("query-uuid", machine_text.uuid_text), about="the machine's UUID"
    ),
    Command(
        "version", showing("query-version", machine_text.version_text),
        about="which version this is",
    ),
)  # fmt: skip

COMMANDS = (
    Command("cont|c", control.cont, about="let the machine run"),
    Command(
        "device_add", hotplug.device_add,
        (Options("device", check=hotplug.check_device_options),),
        "driver[,prop=value][,...]", "plug in a device",
    ),
    Command(
        "device_del", hotplug.device_del, (Word("id"),), "device",
        "ask the guest to let a device go",
    ),
    Command(
        "delvm", snapshots.delvm, (Word("tag"),), "tag", "remove a saved machine"
    ),
    Command("help|?", _help, (Rest("name", optional=True),), "[cmd]", "what commands there are"),
    Command(
        "i", ports.read_port, (*_PORT, DottedNumber("index", bits=32)), "/fmt addr",
        "read an I/O port",
    ),
    Command("info", _info, (), "[subcommand]", "look at the machine", commands=_INFO),
    Command(
        "loadvm", snapshots.loadvm, (Word("tag"),), "tag",
        "make the machine one that was saved",
    ),
    Command(
        "o", ports.write_port, (*_PORT, Number("value", bits=32)), "/fmt addr value",
        "write an I/O port",
    ),
    Command(
        "object_add", hotplug.object_add, (Rest("object"),),
        "[qom-type=]type,id=str[,prop=value][,...]", "make an object",
    ),
    Command("object_del", hotplug.object_del, (Word("id"),), "id", "remove an object"),
    Command(
        "print|p", dump.print_value, (FormatArgument("format"), Number("value")), "/fmt expr",
        "calculate (with $NAME for a register)",
    ),
    Command(
        "qom-get", qom.qom_get, (Word("path"), Word("property")), "path property",
        "show a property of an object",
    ),
    Command(
        "qom-list", qom.qom_list, (Word("path", optional=True),), "path",
        "list the properties of an object",
    ),
    Command(
        "qom-set", qom.qom_set,
        (Flag("json", letter="j"), Word("path"), Word("property"), Rest("value")),
        "[-j] path property value", "set a property of an object (-j: the value is JSON)",
    ),
    Command("quit|q", control.quit_machine, about="end the machine"),
    Command(
        "savevm", snapshots.savevm, (Word("tag", optional=True),), "tag",
        "save the machine, in the folder that 'guestmap boot --snapshots' names",
    ),
    Command("stop|s", control.stop, about="pause the machine"),
    Command("system_powerdown", control.system_powerdown, about="press the power button"),
    Command("system_reset", control.system_reset, about="reset the machine"),
    Command(
        "x", dump.dump_virtual, _DUMP, "/fmt addr", "show memory as the CPU sees it at an address"
    ),
    Command(
        "xp", dump.dump_physical, _DUMP, "/fmt addr", "show memory at a physical address"
    ),
)  # fmt: skip
