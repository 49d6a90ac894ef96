"""What is refused of a device: libvirt's rules first, in its words; then what QEMU would say."""

import pytest

from guestmap.domain.rules import host_rules
from guestmap.domain.rules.assign import assigned, free_pci
from guestmap.domain.rules.device_rules import refusals
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.room import Room, situation_of
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.definition import Definition, parse_definition
from guestmap.domain.xml.memory import PciAddress
from tests.domain.documents import LIMIT, definition, device, domain, memory

HELD = """\
    <memory model='dimm'>
      <target><size unit='MiB'>512</size><node>0</node></target>
      <alias name='dimm1'/>
      <address type='dimm' slot='1' base='0x120000000'/>
    </memory>
"""
FULL = "".join(HELD.replace("'1'", f"'{n}'").replace("dimm1", f"dimm{n}").replace(
    "0x120000000", hex((4 << 30) + n * (512 << 20))) for n in range(4))  # fmt: skip


def at(slot: int, base: int | None = None, kind: str = "dimm") -> str:
    told = "" if base is None else f" base='{base:#x}'"
    return f"<address type='{kind}' slot='{slot}'{told}/>"


def first(found: Definition, data: bytes, *, live: bool) -> tuple[str, int, int] | None:
    refusal = next(refusals(found, device(data, found.dialect), live=live), None)
    return None if refusal is None else (refusal.text, refusal.code, refusal.domain)


U = "unsupported configuration: "
OF_BOTH = {
    "slot range": ("", memory(more=at(4)), f"{U}memory device slot '4' exceeds slots count '4'",
                   67, 10),
    "room": ("", memory("8", "GiB"), (f"{U}Attaching memory device with size '8388608' would exceed"
             " domain's maxMemory config size '8388608'"), 67, 20),
    "node": ("", memory(node="<node>3</node>"), ("can't add memory backend for guest node '3' as"
             " the guest has only '1' NUMA nodes configured"), 35, 20),
    "no node": ("", memory(node=""), f"{U}target NUMA node needs to be specified for memory device",
                67, 10),
    "pci": ("", memory(more=at(9, kind="pci")),
            f"{U}only 'dimm' addresses are supported for the pc-dimm device", 67, 10),
    "host node": ("", memory(more="<source><nodemask>4095</nodemask></source>"),
                  f"{U}NUMA node 4095 is unavailable", 67, 0),
    "huge pages": ("", memory(more="<source><pagesize unit='EiB'>1</pagesize></source>"),
                   ("internal error: hugetlbfs filesystem is not mounted or disabled by"
                   " administrator config"), 1, 10),
    "alias": (HELD, memory(more="<alias name='dimm1'/>"),
              f"{U}non unique alias detected: dimm1", 67, 20),
    "another device's alias": (
        "<disk type='file'><target dev='hda' bus='ide'/><alias name='ua-mine'/></disk>",
        memory(more="<alias name='ua-mine'/>"), f"{U}non unique alias detected: ua-mine", 67, 20,
    ),
    "label": ("", memory(model="nvdimm", more="<source><path>/x</path></source>",
                         target="<label><size>64</size></label>"),
              "XML error: nvdimm label must be at least 128KiB", 27, 20),
    "large label": ("", memory("128", "KiB", model="nvdimm",
                               target="<label><size>128</size></label>",
                               more="<source><path>/x</path></source>"),
                    "XML error: label size must be smaller than NVDIMM size", 27, 20),
    "pmem node": ("", memory(model="virtio-pmem", more="<source><path>/x</path></source>"),
                  f"{U}virtio-pmem does not support NUMA nodes", 67, 20),
    "requested": ("", memory(model="virtio-mem", target="<block>2048</block>"
                             "<requested unit='GiB'>1</requested>"),
                  "requested size must be smaller than or equal to @size (524288KiB)", 35, 20),
    "requested part": ("", memory(model="virtio-mem", target="<block>2048</block>"
                                  "<requested>1024</requested>"),
                       "requested size must be an integer multiple of block size", 35, 20),
    "no block": ("", memory(model="virtio-mem"), "block size must be a power of two", 35, 20),
    "small block": ("", memory(model="virtio-mem", target="<block>1024</block>"),
                    "block size too small, must be at least 2048KiB", 35, 20),
}  # fmt: skip
"""As both versions of libvirt say it of a running machine."""


@pytest.mark.parametrize("what", OF_BOTH)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("dialect", LibvirtDialect)
def test_a_stored_definition_is_held_to_the_same_rules_as_a_running_machine(what, live, dialect):
    devices, data, *told = OF_BOTH[what]
    assert first(definition(dialect, devices=devices), data, live=live) == tuple(told)


BY_VERSION = {
    "slot taken": (HELD, memory(more=at(1)), True,
                   (f"{U}memory device slot '1' is already being used by another memory device",
                    67, 10),
                   (f"{U}memory device slot '1' is already being used by another memory device",
                    67, 20)),
    "base taken": (HELD, memory(more=at(0, 0x1_2000_0000)), True,
                   ((f"{U}memory device base '0x120000000' is already being used by another memory"
                    " device"), 67, 10),
                   ((f"{U}memory device address [0x120000000:0x140000000] overlaps with other"
                     " memory"
                    " device (0x120000000)"), 67, 20)),
    "overlap": (HELD, memory(more=at(0, 0x1_1000_0000)), True, None,
                ((f"{U}memory device address [0x110000000:0x130000000] overlaps with other memory"
                 " device (0x120000000)"), 67, 20)),
    "same, stored": (HELD, memory(more=at(1, 0x1_2000_0000)), False,
                     (("Requested operation is not valid: Domain already contains a device with the"
                      " same address"), 55, 20),
                     (f"{U}memory device slot '1' is already being used by another memory device",
                      67, 20)),
    "full, live": (FULL, memory(), True,
                   (f"{U}memory device count '5' exceeds slots count '4'", 67, 10),
                   ((f"{U}count of memory devices requiring memory slots '5' exceeds slots count"
                    " '4'"), 67, 10)),
    "full, stored": (FULL, memory(), False,
                     (f"{U}no free memory device slot available", 67, 10),
                     (f"{U}no free memory device slot available", 67, 10)),
    "full, virtio-mem": (FULL, memory(model="virtio-mem", target="<block>2048</block>"), True,
                         (f"{U}memory device count '5' exceeds slots count '4'", 67, 10), None),
    "dimm address": ("", memory(model="virtio-mem", more=at(0), target="<block>2048</block>"), True,
                     (f"{U}only 'pci' addresses are supported for the virtio-mem device", 67, 10),
                     (f"{U}only 'pci' and 'ccw' addresses are supported for the virtio-mem device",
                      67, 10)),
}  # fmt: skip


@pytest.mark.parametrize("what", BY_VERSION)
@pytest.mark.parametrize("dialect", LibvirtDialect)
def test_some_rules_and_words_are_a_versions_own(what, dialect):
    devices, data, live, *told = BY_VERSION[what]
    found = first(definition(dialect, devices=devices), data, live=live)
    assert found == told[dialect is LibvirtDialect.V12]


def test_without_a_limit_there_is_no_room():
    told = first(definition(limit=""), memory(), live=True)
    assert told == (
        f"{U}cannot use/hotplug a memory device when domain 'maxMemory' is not defined", 67, 10,
    )  # fmt: skip


def test_every_refusal_is_told_at_once():
    found = definition(devices=HELD)
    codes = [each.code for each in refusals(found, device(memory("9", "GiB", node="", more=at(1))),
                                            live=True)]  # fmt: skip
    assert codes == [67, 67, 67]


def test_of_several_nodes_that_the_host_has_not_the_first_is_named_alone():
    data = memory(more="<source><nodemask>4000,4090-4095</nodemask></source>")
    told = [each.text for each in refusals(definition(), device(data), live=True)]
    assert told == [f"{U}NUMA node 4000 is unavailable"]


@pytest.mark.parametrize(
    ("there", "absent"), [(None, [1, 3]), ((), [0, 1, 3]), ((0,), [1, 3]), ((0, 1, 2), [3])]
)
def test_a_kernel_without_numa_has_the_first_node(monkeypatch, tmp_path, there, absent):
    folder = tmp_path / "node"
    for each in there or ():
        (folder / f"node{each}").mkdir(parents=True)
    if there is not None:
        folder.mkdir(exist_ok=True)
    monkeypatch.setattr(host_rules, "_NODES", folder)
    assert host_rules.absent_nodes((0, 1, 3)) == absent


@pytest.mark.parametrize(
    ("size", "pool", "more", "words"),
    [
        ("512", ("256", "0"), "", None),
        ("512", ("100", "156"), "", None),
        ("512", ("255", "0"), "", "255 huge pages of 2048 KiB in all, and the device needs 256"),
        ("513", None, "", "0 huge pages of 2048 KiB in all, and the device needs 257"),
        ("512", None, "<path>/tmp/nv</path>", None),
    ],
)  # fmt: skip
def test_a_host_with_fewer_huge_pages_than_a_device_needs_is_told(
    monkeypatch, tmp_path, size, pool, more, words
):
    folder = tmp_path / "hugepages-2048kB"
    folder.mkdir()
    for name, number in zip(("nr_hugepages", "nr_overcommit_hugepages"), pool or (), strict=False):
        (folder / name).write_text(number + "\n")
    monkeypatch.setattr(host_rules, "_POOLS", tmp_path)
    page = "" if more else "<pagesize unit='MiB'>2</pagesize>"
    model = "nvdimm" if more else "dimm"
    found = device(memory(size, model=model, more=f"<source>{more}{page}</source>"))
    assert [each.text for each in host_rules.few_pages(definition(), found)] == (
        [f"{U}the host has {words}"] if words else []
    )
    backed = definition(limit=LIMIT + "<memoryBacking><hugepages/></memoryBacking>")
    is_few = bool([*host_rules.few_pages(backed, device(memory(size)))])
    assert is_few is (pool is None or pool[0] == "255")


QEMU_WOULD_SAY = {
    "no bytes": (memory("0"), "size-zero"),
    "3 MiB": (memory("3"), "size-unaligned"),
    "an odd base": (memory(more=at(0, 0x1_0000_1000)), "address-unaligned"),
    "a base in RAM": (memory(more=at(0, 0x1000_0000)), "address-outside"),
    "an overlap": (memory(more=at(0, 0x1_1000_0000)), "address-overlap"),
}


@pytest.mark.parametrize("what", QEMU_WOULD_SAY)
def test_what_qemu_would_refuse_at_the_next_start_is_found_before(what):
    data, code = QEMU_WOULD_SAY[what]
    assert code in {each.code for each in Room(definition(devices=HELD), device(data)).blockers()}


def test_without_acpi_the_stored_definition_takes_no_dimm():
    found = parse_definition(domain().replace(b"<acpi/>", b""), LibvirtDialect.V9)
    assert [each.code for each in Room(found, device()).blockers()] == ["no-acpi"]


def test_the_device_memory_is_where_qemu_has_it():
    # 512 MiB of RAM, maxmem 8 GiB, 16 slots: [0x100000000, 0x5e0000000 bytes] as QEMU 7.2 says.
    found = definition(limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>")
    window = situation_of(found).window
    assert window is not None
    assert (window.start, window.size) == (0x1_0000_0000, 0x5_E000_0000)


def test_what_the_guest_cannot_use_is_found():
    assert [each.code for each in Room(definition(), device(memory("100"))).misfits()] == [
        "section-size"
    ]
    assert Room(definition(), device(memory("128"))).misfits() == ()


def test_behind_an_odd_dimm_the_next_is_placed_on_the_guests_blocks():
    odd = HELD.replace(">512<", ">100<").replace("0x120000000", "0x100000000")
    found = definition(devices=odd)
    assert Room(found, device()).better_base(assigned(found, device(), live=True)) == 0x1_0800_0000
    even = definition(devices=HELD)
    assert Room(even, device()).better_base(assigned(even, device(), live=True)) is None


def test_the_lowest_free_slot_of_each_definition_is_taken():
    assert assigned(definition(devices=HELD), device(), live=True).alias == "dimm0"
    two = HELD + HELD.replace("'1'", "'0'").replace("dimm1", "dimm0").replace("0x12", "0x10")
    taken = assigned(definition(devices=two), device(), live=True)
    assert (taken.slot, taken.alias) == (2, "dimm2")


def test_a_pci_device_takes_the_first_free_place():
    taken = "<odd><address type='pci' bus='0x00' slot='0x02'/></odd>\n"
    assert free_pci(definition(devices=taken)).slot == 3


PATH = "<source><path>/x</path></source>"
AT_THE_LIMIT = {
    "the last slot": ("", memory(more=at(3))),
    "all the room": ("", memory("7680")),
    "the last node": ("", memory(node="<node>0</node>")),
    "the least label": ("", memory(model="nvdimm", more=PATH,
                                   target="<label><size>128</size></label>")),
    "the largest label": ("", memory("256", "KiB", model="nvdimm", more=PATH,
                                     target="<label><size>255</size></label>")),
    "all requested": ("", memory(model="virtio-mem",
                                 target="<block>2048</block><requested>524288</requested>")),
    "the least block": ("", memory(model="virtio-mem", target="<block>2048</block>")),
    "up to another": (HELD, memory(more=at(0, 0x1_0000_0000))),
    "behind another": (HELD, memory(more=at(0, 0x1_4000_0000))),
    "the last free slot": (FULL[: FULL.rindex("    <memory")], memory()),
}  # fmt: skip


@pytest.mark.parametrize("what", AT_THE_LIMIT)
@pytest.mark.parametrize("live", [True, False])
@pytest.mark.parametrize("dialect", LibvirtDialect)
def test_what_is_just_allowed_is_not_refused(what, live, dialect):
    devices, data = AT_THE_LIMIT[what]
    assert first(definition(dialect, devices=devices), data, live=live) is None


TWO = ("<numa><cell id='0' cpus='0' memory='256' unit='MiB'/><cell id='1' memory='256'"
       " unit='MiB'/></numa>")  # fmt: skip
REMEDIES = {
    "one node": ({}, memory(node="<node>1</node>"), "choose node 0"),
    "two nodes": ({"numa": TWO}, memory(node="<node>2</node>"), "choose node 0 to 1"),
    "room": ({}, memory("7681"), "7864320 KiB may be added"),
    "less room": ({"devices": HELD}, memory("7680"), "7340032 KiB may be added"),
    "slot": ({}, memory(more=at(4)), "choose one below 4"),
    "taken": ({"devices": HELD}, memory(more=at(1)), "free: 0, 2, 3"),
    "all taken": ({"devices": FULL}, memory(more=at(1)), "no slot is free"),
    "base": ({"devices": HELD}, memory(more=at(0, 0x1_2000_0000)),
             "leave base out: QEMU finds a gap"),
    "many": ({"devices": HELD, "limit": "<maxMemory slots='16' unit='GiB'>8</maxMemory>"},
             memory(more=at(1)), "free: 0, 2, 3, 4, 5, 6, 7, 8"),
    "no node": ({}, memory(node=""), "add <node>0</node> to <target>"),
    "alias": ({"devices": HELD}, memory(more="<alias name='dimm1'/>"), "choose another alias"),
}  # fmt: skip


@pytest.mark.parametrize("what", REMEDIES)
def test_a_refusal_says_what_to_do(what):
    words, data, remedy = REMEDIES[what]
    refused = next(refusals(definition(**words), device(data), live=True))
    assert refused.remedy == remedy


def slots_taken(*slots: int) -> str:
    return "".join(f"<odd><address type='pci' bus='0' slot='{n}'/></odd>\n" for n in slots)


def test_the_last_place_on_pci_is_taken_and_then_none_is_left():
    assert free_pci(definition(devices=slots_taken(*range(2, 31)))) == PciAddress(0, 31)
    with pytest.raises(DomainError, match="no PCI address is free") as refused:
        free_pci(definition(devices=slots_taken(*range(2, 32))))
    assert (refused.value.code, refused.value.speaker) == (67, Speaker.OURS)


PORT = "<controller type='pci' model='pcie-root-port'{}/>\n"


def q35(devices: str) -> Definition:
    data = domain(devices=devices).replace(b"pc-i440fx-7.2", b"pc-q35-7.2")
    return parse_definition(data, LibvirtDialect.V9)


PORTS = {
    "one": (PORT.format(""), 1),
    "one with an index": (PORT.format(" index='7'"), 7),
    "the second": (PORT.format("") * 2 + "<odd><address type='pci' bus='1' slot='0'/></odd>\n", 2),
    "not one of another kind": (
        "<controller type='usb' model='pcie-root-port'/>\n<controller type='pci'"
        " model='pcie-root'/>\n" + PORT.format(" index='3'"), 3),
    "not one behind which another bus is": (
        PORT.format("") + "<odd><address type='drive' bus='1' slot='0'/></odd>\n", 1),
}  # fmt: skip


@pytest.mark.parametrize("what", PORTS)
def test_on_q35_a_device_goes_into_a_free_root_port(what):
    devices, bus = PORTS[what]
    assert free_pci(q35(devices)) == PciAddress(bus, 0)


def test_on_q35_without_a_free_root_port_there_is_no_place():
    with pytest.raises(DomainError, match="no PCI address is free"):
        free_pci(q35(""))


def test_names_of_the_machine_are_those_of_slot_or_number():
    virtio = device(memory(model="virtio-mem", target="<block>2048</block>"))
    one = assigned(definition(), virtio, live=True)
    assert (one.alias, one.address) == ("virtiomem0", PciAddress(0, 2))
    two = assigned(definition(devices="<odd><alias name='x'/></odd><memory model='virtio-mem'>"
                   "<target><size>2048</size><node>0</node><block>2048</block></target>"
                   "<alias name='virtiomem0'/></memory>"), virtio, live=True)  # fmt: skip
    assert two.alias == "virtiomem1"
    pmem = device(memory(model="virtio-pmem", node="", more=PATH))
    assert assigned(definition(), pmem, live=True).alias == "virtiopmem0"
    nvdimm = device(memory(model="nvdimm", more=PATH))
    assert assigned(definition(devices=HELD), nvdimm, live=True).alias == "nvdimm0"
    own = device(memory(more="<alias name='ua-x'/>" + at(3)))
    kept = assigned(definition(), own, live=True)
    assert (kept.alias, kept.slot) == ("ua-x", 3)
    assert assigned(definition(), device(), live=False).alias is None


def test_where_all_slots_are_taken_there_is_none_to_choose():
    for live, text in ((True, "device count '5' exceeds slots count '4'"),
                       (False, "no free memory device slot available")):  # fmt: skip
        with pytest.raises(DomainError, match=text):
            assigned(definition(devices=FULL), device(), live=live)
