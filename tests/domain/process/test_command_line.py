"""Definitions become libvirt's command lines, for what decides about memory."""

import json

import pytest

from guestmap.domain.process.command_line import command_line
from guestmap.domain.process.devices_line import left_out
from guestmap.domain.process.own_machine import own_command_line
from guestmap.domain.rules import host_rules
from guestmap.domain.rules.assign import assigned
from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import parse_definition
from guestmap.domain.xml.edit import with_device
from tests.domain.documents import definition, device, domain, memory


def words(**parts: str) -> list[str]:
    return command_line(definition(**parts), {"monitor": 3}, "/run/vm", "/run/vm")


def values(found: list[str], option: str) -> list[str]:
    return [found[n + 1] for n, word in enumerate(found) if word == option]


def test_memory_and_nodes_are_libvirts_words():
    found = words()
    assert values(found, "-m") == ["size=524288k,slots=4,maxmem=8388608k"]
    assert values(found, "-numa") == ["node,nodeid=0,cpus=0,memdev=ram-node0"]
    assert values(found, "-object") == [
        '{"qom-type":"memory-backend-ram","id":"ram-node0","size":536870912}'
    ]
    assert values(found, "-machine") == ["pc-i440fx-7.2,usb=off,dump-guest-core=off"]
    assert values(found, "-smp") == ["1,sockets=1,cores=1,threads=1"]
    assert "-S" in found
    assert values(found, "-chardev") == ["socket,id=charmonitor,fd=3,server=on,wait=off"]


BACKED = {
    "file": ("<memoryBacking><source type='file'/></memoryBacking>",
             ('{"qom-type":"memory-backend-file","id":"ram-node0","mem-path":"/run/vm/ram-node0",'
             '"size":536870912}')),
    "memfd, shared, at once": (
        ("<memoryBacking><source type='memfd'/><access mode='shared'/>"
        "<allocation mode='immediate' threads='4'/></memoryBacking>"),
        ('{"qom-type":"memory-backend-memfd","id":"ram-node0","share":true,"prealloc":true,'
        '"prealloc-threads":4,"size":536870912}')),
    "discarded file": ("<memoryBacking><access mode='private'/><discard/></memoryBacking>",
                       ('{"qom-type":"memory-backend-file","id":"ram-node0","mem-path":'
                       '"/run/vm/ram-node0","discard-data":true,"share":false,"size":536870912}')),
    "nodes": ("<numatune><memory mode='strict' nodeset='0'/></numatune>",
              ('{"qom-type":"memory-backend-ram","id":"ram-node0","size":536870912,'
              '"host-nodes":[0],"policy":"bind"}')),
}  # fmt: skip
"""What libvirt 9.0 and 12.9 both were seen to write."""


def backed(content: str, **parts: str) -> list[str]:
    whole = domain(**parts).replace(b"<vcpu", content.encode() + b"<vcpu")
    return command_line(parse_definition(whole, LibvirtDialect.V9), {}, "/run/vm", "/run/vm")


@pytest.mark.parametrize("what", BACKED)
def test_memory_comes_from_where_the_definition_says(what):
    content, backend = BACKED[what]
    assert values(backed(content), "-object") == [backend]


def test_huge_pages_are_where_they_are_mounted_or_refused(tmp_path, monkeypatch):
    content = "<memoryBacking><hugepages/></memoryBacking>"
    mounts = tmp_path / "mounts"
    monkeypatch.setattr(host_rules, "_MOUNTS", mounts)
    with pytest.raises(DomainError, match="hugetlbfs filesystem is not mounted"):
        backed(content)
    mounts.write_text("none /huge hugetlbfs rw,pagesize=1024M 0 0\n")
    with pytest.raises(DomainError, match="usable hugetlbfs mount for 2048 KiB"):
        backed(content)
    mounts.write_text("none /huge hugetlbfs rw,relatime 0 0\n")
    assert values(backed(content), "-object") == [
        (
            '{"qom-type":"memory-backend-file","id":"ram-node0","mem-path":"/huge","prealloc":true,'
            '"size":536870912}'
        )
    ]


def test_all_of_a_guest_may_be_unmerged_and_locked():
    found = backed("<memoryBacking><nosharepages/><locked/></memoryBacking>")
    assert values(found, "-machine") == ["pc-i440fx-7.2,usb=off,dump-guest-core=off,mem-merge=off"]
    assert values(found, "-overcommit") == ["mem-lock=on"]


def test_a_guest_without_nodes_has_a_backend_where_one_is_asked_for():
    content = "<memoryBacking><access mode='shared'/></memoryBacking>"
    found = backed(content, limit="", numa="")
    (machine,) = values(found, "-machine")
    assert machine.endswith(",memory-backend=pc.ram")
    assert values(found, "-object") == [
        (
            '{"qom-type":"memory-backend-file","id":"pc.ram","mem-path":"/run/vm/pc.ram","share":true,'
            '"x-use-canonical-path-for-ramblock-id":false,"size":536870912}'
        )
    ]
    assert values(backed("", limit="", numa=""), "-object") == []


def test_a_dimm_of_the_definition_is_libvirts_words():
    before = definition()
    found = with_device(before, assigned(before, device(), live=True), live=True)
    line = command_line(found, {}, "/run/vm", "/run/vm")
    assert values(line, "-object")[-1] == (
        '{"qom-type":"memory-backend-ram","id":"memdimm0","size":536870912}'
    )
    assert values(line, "-device")[-1] == (
        '{"driver":"pc-dimm","node":0,"memdev":"memdimm0","id":"dimm0","slot":0}'
    )


def test_sizes_are_rounded_up_to_what_qemu_takes_at_the_start():
    before = definition()
    odd = assigned(before, device(memory("3")), live=True)
    line = command_line(with_device(before, odd, live=True), {}, "/run/vm", "/run/vm")
    assert json.loads(values(line, "-object")[-1])["size"] == 4 << 20


def test_nodes_have_the_cpus_that_are_theirs():
    two = ("<numa><cell id='0' cpus='0,2' memory='256' unit='MiB'/>"
           "<cell id='1' cpus='1,3-5' memory='256' unit='MiB'/></numa>")  # fmt: skip
    assert values(words(numa=two), "-numa") == [
        "node,nodeid=0,cpus=0,cpus=2,memdev=ram-node0",
        "node,nodeid=1,cpus=1,cpus=3-5,memdev=ram-node1",
    ]


DEVICES = {
    "virtio disk": (
        ("<disk type='file'><driver type='qcow2'/><source file='/a,b'/><target bus='virtio'/>"
        "</disk>\n"),
        "-device", {"driver": "virtio-blk-pci", "bus": "pci.0", "addr": "0x2",
                    "drive": "libvirt-1-format", "id": "virtio-disk0"},
    ),
    "ide disk": (
        "<disk type='file'><source file='/a'/><target bus='ide'/></disk>\n",
        "-device", {"driver": "ide-hd", "bus": "ide.0", "unit": 0, "drive": "libvirt-1-format",
                    "id": "ide0-0-0"},
    ),
    "placed disk": (
        ("<disk type='file'><source file='/a'/><target bus='virtio'/>"
        "<address type='pci' bus='0x00' slot='0x07' function='0x1'/></disk>\n"),
        "-device", {"driver": "virtio-blk-pci", "bus": "pci.0", "addr": "0x7.0x1",
                    "drive": "libvirt-1-format", "id": "virtio-disk0"},
    ),
    "serial": (
        "<serial type='pty'/>\n",
        "-device", {"driver": "isa-serial", "chardev": "charserial0", "id": "serial0", "index": 0},
    ),
    "balloon": (
        "<memballoon model='virtio'/>\n",
        "-device", {"driver": "virtio-balloon-pci", "id": "balloon0", "bus": "pci.0",
                    "addr": "0x2"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", DEVICES)
def test_devices_are_made_of_the_definition(what):
    text, option, told = DEVICES[what]
    assert told in [json.loads(each) for each in values(words(devices=text), option)]


def test_a_read_only_image_of_a_kind_is_opened_so():
    disk = ("<disk type='file'><driver type='qcow2'/><source file='/a'/><target bus='ide'/>"
            "<readonly/></disk>\n")  # fmt: skip
    node = json.loads(values(words(devices=disk), "-blockdev")[1])
    assert (node["driver"], node["read-only"]) == ("qcow2", True)


def test_users_arguments_and_a_kernel_are_passed_on():
    data = domain().replace(b"<os>", b"<os><kernel>/k</kernel><cmdline>a=1 b</cmdline>").replace(
        b"</domain>",
        b"<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
        b"<q:arg value='-global'/><q:arg value='x.y=1'/></q:commandline></domain>",
    )  # fmt: skip
    found = command_line(parse_definition(data, LibvirtDialect.V9), {}, "/run/vm", "/run/vm")
    assert values(found, "-kernel") == ["/k"]
    assert values(found, "-append") == ["a=1 b"]
    assert values(found, "-global") == ["x.y=1"]


REFUSED = {
    "a network disk": "<disk type='network'><target bus='virtio'/></disk>\n",
    "a disk on a bus": "<disk type='file'><source file='/a'/><target bus='fdc'/></disk>\n",
    "a port": "<serial type='spiceport'/>\n",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_not_started_is_refused_with_its_line(what):
    with pytest.raises(DomainError, match="on line 18"):
        words(devices=REFUSED[what])


def test_what_the_machine_will_not_have_is_said():
    found = definition(devices="<interface type='user'/>\n")
    assert [each.split(" is kept")[0] for each in left_out(found)] == [
        "<odd> on line 17", "<interface> on line 18",
    ]  # fmt: skip


def test_our_own_machine_takes_the_same_definition():
    found = definition(emulator="/opt/bin/guestmap")
    found = with_device(found, assigned(found, device(), live=True), live=True)
    assert own_command_line(found, "/run/vm/monitor", "/run/vm")[:8] == [
        "/opt/bin/guestmap", "boot", "-q", "-S", "--qmp", "unix:/run/vm/monitor", "-m",
        "524288k,slots=4,maxmem=8388608k",
    ]  # fmt: skip


LACKING = {
    "<disk>": "<disk type='file'><source file='/a'/><target bus='ide'/></disk>\n",
    "<interface>": "<interface type='user'/>\n",
    "a virtio-mem device": memory(model="virtio-mem", target="<block>2048</block>").decode() + "\n",
}


@pytest.mark.parametrize("what", LACKING)
def test_what_our_machine_lacks_is_refused_by_name(what):
    found = definition(emulator="/opt/bin/guestmap", devices=LACKING[what])
    with pytest.raises(DomainError, match=f"guestmap's own machine has not {what}"):
        own_command_line(found, "/run/vm/monitor", "/run/vm")


WITH = {
    "a dimm with a base": (
        memory(more="<address type='dimm' slot='2' base='0x120000000'/>"), LibvirtDialect.V9,
        {"driver": "pc-dimm", "node": 0, "memdev": "memdimm2", "id": "dimm2", "slot": 2,
         "addr": 0x1_2000_0000},
        {"qom-type": "memory-backend-ram", "id": "memdimm2", "size": 512 << 20},
    ),
    "an nvdimm": (
        memory("256", model="nvdimm", more="<source><path>/nv</path></source>",
               target="<label><size>128</size></label>"), LibvirtDialect.V9,
        {"driver": "nvdimm", "node": 0, "label-size": 128 << 10, "memdev": "memnvdimm0",
         "id": "nvdimm0", "slot": 0},
        {"qom-type": "memory-backend-file", "id": "memnvdimm0", "mem-path": "/nv",
         "prealloc": True, "size": 256 << 20},
    ),
    "an nvdimm of persistent memory": (
        memory("256", model="nvdimm", target="<readonly/>",
               more="<source><path>/nv</path><alignsize>2048</alignsize><pmem/></source>"),
        LibvirtDialect.V9,
        {"driver": "nvdimm", "node": 0, "unarmed": True, "memdev": "memnvdimm0", "id": "nvdimm0",
         "slot": 0},
        {"qom-type": "memory-backend-file", "id": "memnvdimm0", "mem-path": "/nv",
         "size": 256 << 20, "align": 2 << 20, "pmem": True},
    ),
    "virtio-mem": (
        memory("1", "GiB", model="virtio-mem", target="<block>2048</block>"
               "<requested>4096</requested>"), LibvirtDialect.V9,
        {"driver": "virtio-mem-pci", "node": 0, "block-size": 2 << 20, "requested-size": 4 << 20,
         "memdev": "memvirtiomem0", "id": "virtiomem0", "bus": "pci.0", "addr": "0x2"},
        {"qom-type": "memory-backend-ram", "id": "memvirtiomem0", "reserve": False,
         "size": 1 << 30},
    ),
    "virtio-mem with nothing requested": (
        memory("1", "GiB", model="virtio-mem", target="<block>2048</block>"), LibvirtDialect.V9,
        {"driver": "virtio-mem-pci", "node": 0, "block-size": 2 << 20, "memdev": "memvirtiomem0",
         "id": "virtiomem0", "bus": "pci.0", "addr": "0x2"},
        {"qom-type": "memory-backend-ram", "id": "memvirtiomem0", "reserve": False,
         "size": 1 << 30},
    ),
    "virtio-pmem at a place": (
        memory("256", model="virtio-pmem", node="", more="<source><path>/pm</path></source>",
               target="<address base='0x140000000'/>"), LibvirtDialect.V12,
        {"driver": "virtio-pmem-pci", "memdev": "memvirtiopmem0", "memaddr": 0x1_4000_0000,
         "id": "virtiopmem0", "bus": "pci.0", "addr": "0x2"},
        {"qom-type": "memory-backend-file", "id": "memvirtiopmem0", "mem-path": "/pm",
         "share": True, "size": 256 << 20},
    ),
    "a private dimm": (
        memory(words=" access='private' discard='no'"), LibvirtDialect.V9,
        {"driver": "pc-dimm", "node": 0, "memdev": "memdimm0", "id": "dimm0", "slot": 0},
        {"qom-type": "memory-backend-file", "id": "memdimm0", "mem-path": "/run/vm/dimm0",
         "discard-data": False, "share": False, "size": 512 << 20},
    ),
    "a shared dimm of a host's node": (
        memory(words=" access='shared'", more="<source><nodemask>0</nodemask></source>"),
        LibvirtDialect.V9,
        {"driver": "pc-dimm", "node": 0, "memdev": "memdimm0", "id": "dimm0", "slot": 0},
        {"qom-type": "memory-backend-file", "id": "memdimm0", "mem-path": "/run/vm/dimm0",
         "share": True, "size": 512 << 20, "host-nodes": [0], "policy": "bind"},
    ),
}  # fmt: skip
"""Devices with all that one may have, and what QEMU's documentation calls it."""


@pytest.mark.parametrize("what", WITH)
def test_all_of_a_memory_device_is_said_and_nothing_more(what):
    document, dialect, props, backend = WITH[what]
    before = definition(dialect)
    found = with_device(before, assigned(before, device(document, dialect), live=True), live=True)
    line = command_line(found, {}, "/run/vm", "/run/vm")
    assert json.loads(values(line, "-device")[-1]) == props
    assert json.loads(values(line, "-object")[-1]) == backend


def edited(old: str, new: str, **parts: str) -> list[str]:
    text = domain(**parts).decode()
    assert old in text
    return command_line(parse_definition(text.replace(old, new).encode(), LibvirtDialect.V12), {},
                        "/run/vm", "/run/vm")  # fmt: skip


NV = memory("256", model="nvdimm", more="<source><path>/nv</path></source>").decode()
PC = "machine='pc-i440fx-7.2'"
MACHINES = {
    "without ACPI": ("<acpi/>", "", "pc-i440fx-7.2,usb=off,dump-guest-core=off,acpi=off"),
    "of no type": (f" {PC}", "", "pc,usb=off,dump-guest-core=off"),
    "q35": (PC, "machine='pc-q35-7.2'", "pc-q35-7.2,usb=off,dump-guest-core=off"),
    "with an nvdimm": ("<memballoon model='none'/>", NV,
                       "pc-i440fx-7.2,usb=off,dump-guest-core=off,nvdimm=on"),
}  # fmt: skip


@pytest.mark.parametrize("what", MACHINES)
def test_the_machine_is_said_with_what_differs(what):
    old, new, machine = MACHINES[what]
    assert values(edited(old, new), "-machine") == [machine]


CPUS = {
    "": "qemu64", "<cpu mode='host-passthrough'/>": "host", "<cpu mode='host-model'/>": "host",
    "<cpu mode='maximum'/>": "max", "<cpu mode='custom'><model>Nehalem</model></cpu>": "Nehalem",
    "<cpu mode='custom'/>": "qemu64",
}  # fmt: skip


@pytest.mark.parametrize("cpu", CPUS)
def test_the_processor_is_the_one_that_is_named(cpu):
    found = edited("<cpu></cpu>", cpu, limit="", numa="")
    assert values(found, "-cpu") == [CPUS[cpu]]


def test_another_emulators_processor_is_its_own_choice():
    assert "-cpu" not in words(emulator="/usr/bin/qemu-system-aarch64")


def test_sizes_say_what_there_is():
    assert values(edited("<cpu></cpu>", "", limit="", numa=""), "-m") == ["size=524288k"]
    limit = "<maxMemory unit='GiB'>8</maxMemory>"
    assert values(edited("<cpu></cpu>", "", limit=limit, numa=""), "-m") == [
        "size=524288k,maxmem=8388608k"
    ]


def test_what_a_guest_boots_is_passed_on_and_no_more():
    found = edited("<os>", "<os><initrd>/i</initrd><loader>/b</loader>")
    assert (values(found, "-initrd"), values(found, "-bios")) == (["/i"], ["/b"])
    assert "-kernel" not in found
    assert "-append" not in found
    assert values(found, "-boot") == ["strict=on"]


def test_how_it_runs_is_said():
    assert values(words(), "-accel") == ["tcg"]
    assert values(edited("type='qemu'", "type='kvm'"), "-accel") == ["kvm"]
    assert values(words(), "-overcommit") == ["mem-lock=off"]
    assert values(edited(">1</vcpu>", ">3</vcpu>"), "-smp") == ["3,sockets=3,cores=1,threads=1"]
    assert values(edited("<name>vm<", "<name>a,b<"), "-name") == ["guest=a,,b,debug-threads=on"]
    assert "-uuid" not in words()


def test_all_that_our_machine_is_told_of_memory():
    before = definition(emulator="/opt/bin/guestmap")
    kept = assigned(before, device(memory(words=" access='shared'")), live=True)
    line = own_command_line(with_device(before, kept, live=True), "/run/vm/monitor", "/run/vm")
    assert line[6:] == [
        "-m", "524288k,slots=4,maxmem=8388608k",
        "--object", "memory-backend-ram,id=ram-node0,size=536870912",
        "--numa", "node,nodeid=0,memdev=ram-node0",
        "--object", ("memory-backend-file,id=memdimm0,mem-path=/run/vm/dimm0,share=on"
                     ",size=536870912"),
        "--device", "pc-dimm,node=0,memdev=memdimm0,id=dimm0,slot=0",
    ]  # fmt: skip
    private = assigned(before, device(memory(words=" access='private'")), live=True)
    line = own_command_line(with_device(before, private, live=True), "/run/a,b/monitor", "/run/a,b")
    assert line[13] == (
        "memory-backend-file,id=memdimm0,mem-path=/run/a,,b/dimm0,share=off,size=536870912"
    )


def made(line: list[str], option: str, driver: str) -> list[dict[str, object]]:
    """Return what is made of one driver."""
    found = [json.loads(each) for each in values(line, option) if each.startswith("{")]
    return [each for each in found if each["driver"] == driver]


CHARDEVS = {
    "<serial type='pty'/>": "pty,id=charserial0",
    "<serial type='null'/>": "null,id=charserial0",
    "<serial type='stdio'/>": "stdio,id=charserial0",
    "<serial type='file'><source path='/a,b'/></serial>": "file,id=charserial0,path=/a,,b",
    "<serial type='file'/>": "file,id=charserial0,path=/run/vm/serial0",
    "<serial type='unix'><source path='/s'/></serial>":
        "socket,id=charserial0,path=/s,server=on,wait=off",
    "<console type='pty'/>": "pty,id=charserial0",
    "<console type='pty'><target type='serial'/></console>": "pty,id=charserial0",
}  # fmt: skip


@pytest.mark.parametrize("port", CHARDEVS)
def test_a_port_is_what_its_type_says(port):
    found = words(devices=f"{port}\n")
    assert values(found, "-chardev")[1:] == [CHARDEVS[port]]
    assert [each["id"] for each in made(found, "-device", "isa-serial")] == ["serial0"]


def test_a_console_is_a_port_only_where_there_is_no_other():
    virtio = "<console type='pty'><target type='virtio'/></console>\n"
    assert made(words(devices=virtio), "-device", "isa-serial") == []
    both = "<serial type='pty'/>\n<serial type='null'/>\n<console type='stdio'/>\n"
    found = words(devices=both)
    assert values(found, "-chardev")[1:] == ["pty,id=charserial0", "null,id=charserial1"]
    assert [each["index"] for each in made(found, "-device", "isa-serial")] == [0, 1]
    two = "<console type='pty'/>\n<console type='null'/>\n"
    assert values(words(devices=two), "-chardev")[1:] == ["pty,id=charserial0"]


def disk(bus: str, more: str = "<source file='/a'/>", kind: str = "disk") -> str:
    return f"<disk type='file' device='{kind}'>{more}<target bus='{bus}'/></disk>\n"


def test_disks_of_ide_are_two_on_a_channel_and_of_sata_one():
    ide = made(words(devices=disk("ide") * 3), "-device", "ide-hd")
    assert [(each["bus"], each["unit"], each["id"]) for each in ide] == [
        ("ide.0", 0, "ide0-0-0"), ("ide.0", 1, "ide0-0-1"), ("ide.1", 0, "ide0-1-0"),
    ]  # fmt: skip
    sata = made(words(devices=disk("sata") * 2), "-device", "ide-hd")
    assert [(each["bus"], each["unit"], each["id"]) for each in sata] == [
        ("ide.0", 0, "sata0-0-0"), ("ide.1", 0, "sata0-1-0"),
    ]  # fmt: skip
    assert [each["drive"] for each in ide] == [f"libvirt-{n}-format" for n in (1, 2, 3)]


def test_a_drive_for_compact_discs_may_be_empty_and_is_read_only():
    empty = words(devices=disk("ide", "", "cdrom"))
    assert made(empty, "-device", "ide-cd") == [
        {"driver": "ide-cd", "bus": "ide.0", "unit": 0, "id": "ide0-0-0"}
    ]
    assert "-blockdev" not in empty
    full = words(devices=disk("ide", kind="cdrom"))
    assert made(full, "-blockdev", "raw") == [
        {"node-name": "libvirt-1-format", "read-only": True, "driver": "raw",
         "file": "libvirt-1-storage"}
    ]  # fmt: skip
    assert made(full, "-blockdev", "file") == [
        {"driver": "file", "filename": "/a", "node-name": "libvirt-1-storage",
         "auto-read-only": True, "discard": "unmap"}
    ]  # fmt: skip
    hard = words(devices=disk("ide"))
    assert [each["read-only"] for each in made(hard, "-blockdev", "raw")] == [False]


def test_disks_without_a_place_get_one_after_the_other():
    placed = disk("virtio").replace("</disk>", "<address type='pci' slot='0x02'/></disk>")
    found = made(words(devices=disk("virtio") * 2 + placed), "-device", "virtio-blk-pci")
    assert [(each["addr"], each["id"]) for each in found] == [
        ("0x3", "virtio-disk0"), ("0x4", "virtio-disk1"), ("0x2", "virtio-disk2"),
    ]  # fmt: skip


def test_bus_0_has_30_places():
    assert made(words(devices=disk("virtio") * 30), "-device", "virtio-blk-pci")[-1]["addr"] == (
        "0x1f"
    )
    with pytest.raises(DomainError, match="no PCI address is free"):
        words(devices=disk("virtio") * 31)


PORT = "<controller type='pci' model='pcie-root-port'{}>{}</controller>\n"
Q35 = "machine='pc-q35-7.2'"


def test_a_root_port_keeps_its_number_place_and_names_and_those_below_it_are_made():
    place = "<target chassis='9' port='0x77'/><address type='pci' slot='5' function='1'/>"
    found = made(edited(PC, Q35, devices=PORT.format(" index='3'", place)),
                 "-device", "pcie-root-port")  # fmt: skip
    assert found == [
        {"driver": "pcie-root-port", "port": 0x77, "chassis": 9, "id": "pci.3",
         "bus": "pcie.0", "addr": "0x5.0x1"},
        {"driver": "pcie-root-port", "port": 8, "chassis": 1, "id": "pci.1",
         "bus": "pcie.0", "multifunction": True, "addr": "0x1"},
        {"driver": "pcie-root-port", "port": 9, "chassis": 2, "id": "pci.2",
         "bus": "pcie.0", "addr": "0x1.0x1"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("machine", "ports", "told"),
    [
        (Q35, PORT.format(" index='1'", "") * 2, "index='1' is there twice"),
        (Q35, PORT.format(" index='0'", ""), "index='0' is the machine's own"),
        (Q35, PORT.format(" index='256'", ""), "there is no PCI bus 256"),
        (Q35, PORT.format(" index='241'", ""), "no place on PCI bus 0 is left for a root port"),
        (PC, PORT.format(" index='1'", ""), "takes no root port"),
    ],
)
def test_a_root_port_that_cannot_be_is_refused(machine, ports, told):
    with pytest.raises(DomainError, match=told):
        edited(PC, machine, devices=ports)


def test_an_address_that_is_none_on_pci_does_not_place_a_function():
    odd = disk("virtio").replace("</disk>", "<address type='zip'/></disk>")
    port = PORT.format(" index='1'", "<address type='zip'/>")
    found = edited(PC, Q35, devices=odd + port)
    (first,), (behind,) = (made(found, "-device", name)
                             for name in ("pcie-root-port", "virtio-blk-pci"))  # fmt: skip
    assert (first["bus"], first["addr"]) == ("pcie.0", "0x1")
    assert (behind["bus"], behind["addr"]) == ("pci.1", "0x0")


def channel(target: str) -> str:
    return f"<channel type='unix'><target {target}/></channel>\n"


def test_the_agent_has_a_port_of_its_own():
    found = words(devices=channel("type='virtio' name='org.other'"))
    assert values(found, "-chardev")[1:] == [
        "socket,id=charchannel0,path=/run/vm/agent,server=on,wait=off"
    ]
    assert made(found, "-device", "virtserialport") == [
        {"driver": "virtserialport", "bus": "virtio-serial0.0", "nr": 1, "chardev": "charchannel0",
         "id": "channel0", "name": "org.other"}
    ]  # fmt: skip
    assert made(found, "-device", "virtio-serial-pci") == [
        {"driver": "virtio-serial-pci", "id": "virtio-serial0", "bus": "pci.0", "addr": "0x2"}
    ]
    unnamed = words(devices=channel("type='virtio'"))
    assert made(unnamed, "-device", "virtserialport")[0]["name"] == "org.qemu.guest_agent.0"


@pytest.mark.parametrize("devices", [channel("type='virtio'") * 2, channel("type='isa'")])
def test_a_channel_that_is_not_the_agents_is_refused(devices):
    with pytest.raises(DomainError, match="a channel that is not the guest agent's"):
        words(devices=devices)


def test_our_machine_names_the_line_of_the_device_that_it_lacks():
    dimm = memory().decode() + "\n"
    lacking = memory(model="virtio-mem", target="<block>2048</block>").decode() + "\n"
    found = definition(emulator="/opt/bin/guestmap", devices=dimm + lacking)
    with pytest.raises(DomainError, match="has not a virtio-mem device") as refused:
        own_command_line(found, "/run/vm/monitor", "/run/vm")
    assert (refused.value.element, refused.value.line) == ("memory", 19)
