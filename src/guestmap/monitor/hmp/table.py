"""The commands that there are; names and arguments as in QEMU's monitor (QEMU, "QEMU Monitor")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.monitor.hmp import (
    console,
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
    roms,
    snapshots,
)
from guestmap.monitor.hmp.arguments import (
    DottedNumber,
    Flag,
    FlagWord,
    FormatArgument,
    Mebibytes,
    Number,
    Options,
    Rest,
    Word,
)
from guestmap.monitor.hmp.command import HmpCommand, showing
from guestmap.monitor.hmp.helping import help_text

if TYPE_CHECKING:
    from guestmap.monitor.hmp.arguments import Values
    from guestmap.monitor.hmp.command import HmpContext


def _help(_context: HmpContext, values: Values) -> str:
    return help_text(COMMANDS, str(values.get("name", "")))


def _info(_context: HmpContext, _values: Values) -> str:
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
    HmpCommand(
        "balloon", showing("query-balloon", memory_text.balloon_text),
        about="how much memory the guest has, by its balloon",
    ),
    HmpCommand(
        "cpus", showing("query-cpus-fast", machine_text.cpus_text), about="the CPUs"
    ),
    HmpCommand(
        "hotpluggable-cpus",
        showing("query-hotpluggable-cpus", machine_text.hotpluggable_cpus_text),
        about="where there are CPUs, or could be",
    ),
    HmpCommand(
        "kvm", showing("query-kvm", machine_text.kvm_text), about="whether KVM runs the guest"
    ),
    HmpCommand(
        "memdev", showing("query-memdev", memory_text.memory_backends_text),
        about="the memory back-ends",
    ),
    HmpCommand(
        "memory-devices", showing("query-memory-devices", memory_text.memory_devices_text),
        about="the memory that is plugged in",
    ),
    HmpCommand(
        "memory_size_summary",
        showing("query-memory-size-summary", memory_text.memory_size_text),
        about="bytes of memory at the start, and plugged in since",
    ),
    HmpCommand(
        "mtree", maps.info_mtree, _MTREE, "[-f][-d][-o][-D]",
        "the memory map: trees of regions, or with -f flat views (-d: and how they are looked up;"
        " -o: who owns what; -D: disabled regions too)",
    ),
    HmpCommand(
        "name", showing("query-name", machine_text.name_text), about="what the machine is called"
    ),
    HmpCommand("numa", numa.info_numa, about="the NUMA nodes: their CPUs and their memory"),
    HmpCommand("pci", showing("query-pci", pci_text.pci_text), about="the PCI functions"),
    HmpCommand(
        "qom-tree", qom.info_qom_tree, (Word("path", optional=True),), "[path]",
        "the objects of the machine, or those below a path",
    ),
    HmpCommand("qtree", qtree.info_qtree, about="the devices by their buses"),
    HmpCommand("ramblock", maps.info_ramblock, about="the blocks of RAM"),
    HmpCommand(
        "registers", registers.info_registers,
        (Flag("all", letter="a"), Number("vcpu", optional=True, bits=32)), "[-a|vcpu]",
        "what is in the registers of a CPU (-a: of all)",
    ),
    HmpCommand("roms", roms.info_roms, about="the images that the machine is given"),
    HmpCommand("snapshots", snapshots.info_snapshots, about="the saved machines"),
    HmpCommand(
        "status", showing("query-status", machine_text.status_text),
        about="whether the machine runs",
    ),
    HmpCommand(
        "uuid", showing("query-uuid", machine_text.uuid_text), about="the machine's UUID"
    ),
    HmpCommand(
        "version", showing("query-version", machine_text.version_text),
        about="which version this is",
    ),
)  # fmt: skip

COMMANDS = (
    HmpCommand(
        "balloon", control.balloon, (Mebibytes("target"),), "target",
        "ask the guest to have so much memory, in MiB",
    ),
    HmpCommand("cont|c", control.cont, about="let the machine run"),
    HmpCommand(
        "device_add", hotplug.device_add,
        (Options("device", check=hotplug.check_device_options),),
        "driver[,prop=value][,...]", "plug in a device",
    ),
    HmpCommand(
        "device_del", hotplug.device_del, (Word("id"),), "device",
        "ask the guest to let a device go",
    ),
    HmpCommand(
        "delvm", snapshots.delvm, (Word("tag"),), "tag", "remove a saved machine"
    ),
    HmpCommand("help|?", _help, (Rest("name", optional=True),), "[cmd]", "what commands there are"),
    HmpCommand(
        "i", ports.read_port, (*_PORT, DottedNumber("index", bits=32)), "/fmt addr",
        "read an I/O port",
    ),
    HmpCommand("info", _info, (), "[subcommand]", "look at the machine", commands=_INFO),
    HmpCommand(
        "loadvm", snapshots.loadvm, (Word("tag"),), "tag",
        "make the machine one that was saved",
    ),
    HmpCommand(
        "mouse_button", console.mouse_button, (Number("button_state", bits=32),), "state",
        "have buttons of the mouse down: 1 left, 2 middle, 4 right, or a sum of these",
    ),
    HmpCommand(
        "mouse_move", console.mouse_move,
        (Word("dx_str"), Word("dy_str"), Word("dz_str", optional=True)), "dx dy [dz]",
        "move the mouse right and down, and turn its wheel",
    ),
    HmpCommand(
        "o", ports.write_port, (*_PORT, Number("value", bits=32)), "/fmt addr value",
        "write an I/O port",
    ),
    HmpCommand(
        "object_add", hotplug.object_add, (Rest("object"),),
        "[qom-type=]type,id=str[,prop=value][,...]", "make an object",
    ),
    HmpCommand("object_del", hotplug.object_del, (Word("id"),), "id", "remove an object"),
    HmpCommand(
        "print|p", dump.print_value, (FormatArgument("format"), Number("value")), "/fmt expr",
        "calculate (with $NAME for a register)",
    ),
    HmpCommand(
        "qom-get", qom.qom_get, (Word("path"), Word("property")), "path property",
        "show a property of an object",
    ),
    HmpCommand(
        "qom-list", qom.qom_list, (Word("path", optional=True),), "path",
        "list the properties of an object",
    ),
    HmpCommand(
        "qom-set", qom.qom_set,
        (Flag("json", letter="j"), Word("path"), Word("property"), Rest("value")),
        "[-j] path property value", "set a property of an object (-j: the value is JSON)",
    ),
    HmpCommand("quit|q", control.quit_machine, about="end the machine"),
    HmpCommand(
        "savevm", snapshots.savevm, (Word("tag", optional=True),), "tag",
        "save the machine, in the folder that 'guestmap boot --snapshots' names",
    ),
    HmpCommand(
        "screendump", console.screendump,
        (Word("filename"), FlagWord("format", letter="f"), Word("device", optional=True),
         Number("head", optional=True, bits=32)),
        "filename [-f format] [device [head]]",
        "write what the screen shows to a file, as a PPM or a PNG",
    ),
    HmpCommand(
        "sendkey", console.sendkey,
        (Word("keys"), Number("hold_time", optional=True, bits=32)), "keys [hold_ms]",
        "press keys and release them: 'sendkey ctrl-alt-f1'; for 100 ms each where nothing is said",
    ),
    HmpCommand("stop|s", control.stop, about="pause the machine"),
    HmpCommand("system_powerdown", control.system_powerdown, about="press the power button"),
    HmpCommand("system_reset", control.system_reset, about="reset the machine"),
    HmpCommand("system_wakeup", control.system_wakeup, about="wake a machine that sleeps in RAM"),
    HmpCommand(
        "x", dump.dump_virtual, _DUMP, "/fmt addr", "show memory as the CPU sees it at an address"
    ),
    HmpCommand(
        "xp", dump.dump_physical, _DUMP, "/fmt addr", "show memory at a physical address"
    ),
)  # fmt: skip
