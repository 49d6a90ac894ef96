"""The machine's object tree beside a real QEMU's: paths, types, properties, values."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from guestmap.base import MIB
from guestmap.machine import DeviceSpec, MachineConfig, Pc, Phase, VirtualMachine, config_of
from guestmap.qom import ObjectTree
from tests.support.qemu import MACHINE, Qemu
from tests.support.qom import Member, Objects, only_below, our_objects, qemus_objects

pytestmark = [pytest.mark.qemu_7_2("its object tree"), pytest.mark.qemu, pytest.mark.seabios]

CPU = "qemu64-x86_64-cpu"

ACCEPTED_PATHS = {
    r"/machine/qtest": "the test's own channel to QEMU",
    r"/chardevs/(qtest|qmp)": "the test's own channels to QEMU",
    r"/?/backend(/.*)?": "windows in which QEMU shows screens; nobody shows this machine's",
    r"/machine/fw_cfg/\\x2from@.*": "files for firmware are bytes here, no ROM regions",
}
"""What QEMU has and this machine has not."""

ACCEPTED_VALUES = {
    ("pc-i440fx-7.2-machine", "rtc-time"): "the time of day",
    ("mc146818rtc", "date"): "the time of day",
    (CPU, "crash-information"): "no guest panics here",
}

NOWHERE = Member("link<memory-region>", "")

DEVICES = ("pci-testdev,id=t0,membar=64K", "pci-bridge,id=b0,chassis_nr=1", "pci-testdev,bus=b0",
           "pci-bridge,chassis_nr=2", "pci-bridge,chassis_nr=3,bus=pci.1",
           "pci-testdev,bus=pci.1,addr=4", "pci-testdev,bus=pci.2", "pci-testdev,addr=7.0",
           "pci-bridge,chassis_nr=4,id=b1,addr=a")  # fmt: skip


def _devices(*specs: str) -> tuple[DeviceSpec, ...]:
    return tuple(DeviceSpec.parse(spec) for spec in specs)


def _options(*specs: str) -> list[str]:
    return [word for spec in specs for word in ("-device", spec)]


def _accepted(path: str) -> bool:
    return any(re.fullmatch(pattern, path) for pattern in ACCEPTED_PATHS)


def assert_same_objects(ours: Objects, theirs: Objects) -> None:
    """Assert that both are equal but for what is accepted."""
    theirs = {path: members for path, members in theirs.items() if not _accepted(path)}
    kinds = [{path: m["type"].value for path, m in each.items()} for each in (ours, theirs)]
    assert kinds[0] == kinds[1]
    for path, members in theirs.items():
        kind = members["type"].value
        expected = {
            name: member for name, member in members.items()
            if not _accepted(f"{path}/{name}") and (kind, name) not in ACCEPTED_VALUES
        }  # fmt: skip
        found = {name: m for name, m in ours[path].items() if (kind, name) not in ACCEPTED_VALUES}
        if path.startswith("/objects/") and expected.get("container") == NOWHERE:
            del expected["addr"], found["addr"]  # QEMU keeps where it was before it was unplugged
        assert found == expected, path


def objects_like(ours: Objects, qemu: Qemu) -> Objects:
    """Return QEMU's objects; of its CPUs what ours have: what one can do is the engine's affair."""
    cpus = {path for path, members in ours.items() if members["type"].value == CPU}
    return qemus_objects(qemu, lambda path, name: path not in cpus or name in ours[path])


def assert_same_tree(tree: ObjectTree, qemu: Qemu) -> Objects:
    """Assert that both trees are equal; return ours."""
    ours = our_objects(tree)
    assert_same_objects(ours, objects_like(ours, qemu))
    return ours


def assert_same_devices(tree: ObjectTree, qemu: Qemu) -> None:
    """Assert that what is made and plugged while a machine runs is equal in both trees."""
    places = "/objects", "/machine/peripheral", "/machine/peripheral-anon"
    theirs = qemus_objects(qemu, only_below(*places))
    ours = our_objects(tree)
    assert_same_objects(*({p: m for p, m in each.items() if p.startswith(places)}
                          for each in (ours, theirs)))  # fmt: skip


CASES = {
    "plain": (MachineConfig(ram_size=128 * MIB), ["-m", "128M"]),
    "CPUs and RAM": (MachineConfig(ram_size=5120 * MIB, cpus=3), ["-m", "5G", "-smp", "3"]),
    "display": (
        MachineConfig(ram_size=128 * MIB, vga="std"), ["-m", "128M", "-vga", "std"]
    ),
    "Cirrus": (
        MachineConfig(ram_size=128 * MIB, vga="cirrus"), ["-m", "128M", "-vga", "cirrus"]
    ),
    "console": (
        MachineConfig(ram_size=128 * MIB, serial=True, debugcon=True),
        ["-m", "128M", "-serial", "null", "-debugcon", "null",
         "-global", "isa-debugcon.iobase=0x402"],
    ),
    "devices": (
        MachineConfig(ram_size=128 * MIB, devices=_devices(*DEVICES), debugcon=True),
        ["-m", "128M", *_options(*DEVICES), "-debugcon", "null",
         "-global", "isa-debugcon.iobase=0x402"],
    ),
}  # fmt: skip
SOON = {"Cirrus", "devices"}
"""The cases that have most of what the others have: QEMU reads some thousand requests for each."""


@pytest.mark.parametrize(
    "case",
    [each if each in SOON else pytest.param(each, marks=pytest.mark.peers) for each in CASES],
)
def test_the_tree_is_qemus(case):
    config, options = CASES[case]
    with Qemu(*options) as qemu:
        assert_same_tree(Pc(config).tree, qemu)


def test_the_option_port_of_the_interrupt_controllers_comes_after_the_first_cpu():
    config = MachineConfig(ram_size=128 * MIB, cpus=2, vapic=True)
    with Qemu("-m", "128M", "-smp", "2", vapic=True) as qemu:
        assert_same_tree(Pc(config).tree, qemu)


@pytest.mark.peers
@pytest.mark.parametrize(
    ("option", "config"),
    [
        ("smm=on", MachineConfig(smm=True)),
        ("smm=off,acpi=off", MachineConfig(acpi=False)),
        ("smm=off,hpet=off", MachineConfig(options={"hpet": False})),
    ],
)
def test_the_tree_of_other_machines_is_qemus(option, config):
    machine = [MACHINE[0], f"pc-i440fx-7.2,{option}", *MACHINE[2:]]
    with Qemu(*machine, "-m", "128M", machine=False) as qemu:
        assert_same_tree(Pc(config).tree, qemu)


def _config(devfn: int, register: int) -> int:
    return 1 << 31 | devfn << 8 | register


BRIDGE, TEST_DEVICE, PM = 3 << 3, 2 << 3, 1 << 3 | 3
PORTS = [
    *((_config(BRIDGE, register), value) for register, value in (
        (0x18, 0x0001_0100), (0x1C, 0x1010), (0x20, 0xE010_E000), (0x24, 0xF7F1_F001),
        (0x3C, 0x0008_0000), (0x10, 0xE100_0000), (0x04, 0x7),
    )),
    *((_config(TEST_DEVICE, register), value) for register, value in (
        (0x10, 0xE200_0000), (0x14, 0xC000), (0x18, 0xE300_0000), (0x1C, 1), (0x04, 0x3),
    )),
    (_config(PM, 0x40), 0x601), (_config(PM, 0x80), 1),
    (_config(0, 0x58), 0x0033_3133), (_config(0, 0x70), 0x0A_0000),
]  # fmt: skip
"""Configuration writes: windows of a bridge, of a function, of the chips; the attribute map."""


def test_what_a_guest_moves_is_seen_in_the_tree():
    config = MachineConfig(ram_size=128 * MIB, devices=_devices(*DEVICES))
    pc = Pc(config)
    with Qemu("-m", "128M", *_options(*DEVICES)) as qemu:
        for address, value in PORTS:
            for port, word in ((0xCF8, address), (0xCFC, value)):
                qemu.outl(port, word)
                pc.io.store(port, 4, word)
        window = assert_same_tree(pc.tree, qemu)["/machine/peripheral/b0/pci_bridge_mem[0]"]
        assert (window["addr"].value, window["size"].value) == (0xE000_0000, 2 * MIB)
        qemu.outb(0xAF00, 0)  # the guest knows the newer CPU hot-plug registers
        pc.io.store(0xAF00, 1, 0)
        assert_same_tree(pc.tree, qemu)


SLOTS = ["-m", "128M,slots=4,maxmem=4G", "-smp", "2"]
SELECT, EJECT = 0xA00, 0xA14


def _machine(*words: str) -> Pc:
    return Pc(config_of([*MACHINE, "-global", "apic-common.vapic=off", *words]))


@pytest.mark.parametrize(
    "words",
    [
        (*SLOTS, "-object", "memory-backend-ram,id=m0,size=128M",
         "-device", "pc-dimm,id=d0,memdev=m0"),
        (*SLOTS, *_options("pci-testdev"), "-object", "memory-backend-ram,id=m0,size=128M",
         *_options("pc-dimm,memdev=m0", "pci-testdev")),
        ("-m", "128M", "-object", "memory-backend-ram,id=a,size=128M",
         "-machine", "memory-backend=a"),
        ("-m", "128M", "-object", "memory-backend-ram,id=a,size=96M",
         "-object", "memory-backend-ram,id=b,size=32M",
         "-numa", "node,memdev=a", "-numa", "node,memdev=b", "-smp", "2"),
        ("-m", "128M", "-smp", "6,sockets=2,cores=3"),
        ("-m", "128M", "-smp", "2,maxcpus=8,sockets=2,cores=2,threads=2"),
    ],
)  # fmt: skip
def test_the_tree_of_a_machine_as_the_command_line_says_is_qemus(words):
    with Qemu(*words) as qemu:
        assert_same_tree(_machine(*words).tree, qemu)


def test_plugged_memory_comes_and_goes_in_the_tree():
    pc = _machine(*SLOTS)
    before = our_objects(pc.tree)
    with Qemu(*SLOTS) as qemu:
        for name, size in (("m0", 128 * MIB), ("m1", 256 * MIB)):
            qemu.qmp("object-add", qom_type="memory-backend-ram", id=name, size=size)
            pc.manage.object_add("memory-backend-ram", name, {"size": size})
            assert_same_devices(pc.tree, qemu)
        for name, memory in (("d0", "m0"), (None, "m1")):
            identity = {} if name is None else {"id": name}
            qemu.qmp("device_add", driver="pc-dimm", memdev=memory, **identity)
            pc.manage.device_add("pc-dimm", name, {"memdev": memory})
            assert_same_devices(pc.tree, qemu)
        assert_same_tree(pc.tree, qemu)
        for slot, path in enumerate(("d0", "/machine/peripheral-anon/device[0]")):
            qemu.qmp("device_del", id=path)
            pc.manage.device_del(path)
            for port, value, size in ((SELECT, slot, 4), (EJECT, 8, 1)):
                (qemu.outl if size == 4 else qemu.outb)(port, value)
                pc.io.store(port, size, value)
            assert_same_devices(pc.tree, qemu)
        for name in ("m0", "m1"):
            qemu.qmp("object-del", id=name)
            pc.manage.object_del(name)
        assert_same_tree(pc.tree, qemu)
    assert our_objects(pc.tree).keys() == before.keys()


def test_a_function_that_the_guest_ejects_leaves_the_tree():
    specs = ("pci-testdev,id=t0,addr=5", "pci-testdev,addr=6", "pci-testdev,id=t2,addr=7")
    pc = _machine("-m", "128M", *_options(*specs))
    deleted: list[object] = []
    pc.events.subscribe(lambda event: deleted.append((event.name, event.data)))
    with Qemu("-m", "128M", *_options(*specs)) as qemu:
        for slot in (5, 6):
            for port, value in ((0xAE10, 0), (0xAE08, 1 << slot)):
                qemu.outl(port, value)
                pc.io.store(port, 4, value)
        events = [qemu.wait_event("DEVICE_DELETED") for _ in deleted]
        assert deleted == [(event["event"], event["data"]) for event in events]
        assert_same_tree(pc.tree, qemu)
    assert len(deleted) == 2


@pytest.mark.unicorn
def test_the_tree_after_the_firmware_ran_is_qemus(tmp_path):
    words = [*SLOTS[:2], "-object", "memory-backend-ram,id=m0,size=128M", *_options(
        "pc-dimm,id=d0,memdev=m0", "pci-testdev,id=t0,membar=8G", "pci-bridge,id=b0,chassis_nr=1",
        "pci-testdev,bus=b0,membar=64K", "pci-testdev,bus=b0",
    )]  # fmt: skip
    config = config_of([*MACHINE, "-global", "apic-common.vapic=off", *words])
    log = tmp_path / "seabios.log"
    console = ["-debugcon", f"file:{log}", "-global", "isa-debugcon.iobase=0x402"]
    with VirtualMachine(replace(config, debugcon=True)) as vm:
        vm.run(until=Phase.HALT)
        ours = our_objects(vm.board.tree)
    with Qemu(*words, *console, stopped=False) as qemu:
        while not log.exists() or "No bootable device." not in log.read_text("latin-1"):
            qemu.qmp("query-status")
        qemu.qmp("stop")
        theirs = objects_like(ours, qemu)
    file = Member("string", "chardev-file")
    assert theirs["/chardevs/debugcon"].pop("type") == file  # here it is a Python callback
    ours["/chardevs/debugcon"].pop("type")
    for objects in (ours, theirs):
        objects["/chardevs/debugcon"]["type"] = Member("string", "chardev")
        objects["/chardevs"]["debugcon"] = Member("child<chardev>", None)
    assert_same_objects(ours, theirs)
    window = ours["/machine/peripheral/t0/pci-testdev-membar[0]"]
    assert window["addr"].value >= 1 << 32


def test_the_tree_of_a_machine_with_drives_is_qemus(tmp_path):
    disk, disc = tmp_path / "disk", tmp_path / "disc"
    disk.write_bytes(bytes(512 * 1008 * 3))
    disc.write_bytes(bytes(2048 * 20))
    words = ("-m", "128M", "-drive", f"file={disk},format=raw,snapshot=on",
             "-cdrom", str(disc),
             "-drive", f"file={disc},format=raw,unit=1,snapshot=on")  # fmt: skip
    pc = _machine(*words)
    with Qemu(*words) as qemu:
        assert_same_tree(pc.tree, qemu)
        for index in range(0x0E, 0x80):
            qemu.outb(0x70, index)
            pc.io.store(0x70, 1, index)
            assert pc.io.load(0x71, 1) == qemu.inb(0x71), f"CMOS {index:#x}"
    pc.close()
