"""A real QEMU, started and driven by the manager: its words, its addresses, its own machine."""

import pytest

from guestmap.domain.rules.errors import DomainError, Speaker
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, CONFIG, DIMM, LIVE, domains
from tests.support.qemu import require_qemu
from tests.support.qemu_program import MODELLED, find_qemu

pytestmark = pytest.mark.qemu
CANNOT = "unable to execute QEMU command"


@pytest.fixture(scope="module")
def qemu(tmp_path_factory):
    path = require_qemu()
    with domains(tmp_path_factory.mktemp("qemu"), path) as found:
        found.define(domain(emulator=path, limit="<maxMemory slots='16' unit='GiB'>8</maxMemory>"))
        found.changes.start("vm", paused=True)
        yield found


def at(slot, base):
    return memory(more=f"<address type='dimm' slot='{slot}' base='{base:#x}'/>")


SAID = {
    "overlap": (at(5, 0x1_1000_0000), "device_add",
                "address range conflicts with memory device id='dimm0'"),
    "below": (at(5, 0x1000_0000), "device_add",
              ("can't add memory device [0x10000000:0x20000000], usable range for memory devices"
              " [0x100000000:0x5e0000000]")),
    "unaligned": (at(5, 0x1_8000_1000), "device_add", "address must be aligned to 0x200000 bytes"),
    "3 MiB": (memory("3"), "device_add", "backend memory size must be multiple of 0x200000"),
    "no bytes": (memory("0"), "object-add",
                 "property 'size' of memory-backend-ram doesn't take value '0'"),
    "virtio-mem on a bus": (
        memory(model="virtio-mem", target="<block>2048</block>",
               more="<address type='pci' bus='0x00' slot='0x01'/>"), "device_add",
        "PCI: slot 1 function 0 not available for virtio-mem-pci, in use by PIIX3,id=(null)"),
}  # fmt: skip
"""What QEMU 7.2 says, as libvirt 9.0 was seen to hand it on."""


@pytest.fixture
def plugged(qemu):
    if "dimm0" not in qemu.plugged():
        qemu.changes.attach("vm", DIMM, BOTH)
    return qemu


ONLY_LIVE = {"virtio-mem on a bus"}
"""What no definition tells: the machine's own functions are in none."""
TOLD = [(what, to) for what in SAID for to in (LIVE, BOTH) if to is LIVE or what not in ONLY_LIVE]


@pytest.mark.parametrize(("what", "targets"), TOLD)
def test_qemus_words_come_through_and_everything_is_as_before(plugged, what, targets):
    data, command, said = SAID[what]
    before = plugged.documents()
    with pytest.raises(DomainError) as refused:
        plugged.changes.attach("vm", data, targets)
    error = refused.value
    assert error.text.startswith(f"internal error: {CANNOT} '{command}': {said.split('PIIX3')[0]}")
    assert (error.code, error.domain, error.speaker) == (1, 10, Speaker.QEMU)
    assert plugged.documents() == before
    plugged.consistent()


def test_the_address_is_qemus(plugged):
    (alias, slot), *_ = plugged.known()
    assert (alias, slot) == ("dimm0", 0)
    assert b"<address type='dimm' slot='0' base='0x100000000'/>" in plugged.dumpxml("vm")


def test_each_model_is_taken_or_refused_as_qemu_does(qemu, tmp_path):
    virtio = qemu.changes.attach(
        "vm", memory("256", model="virtio-mem", target="<block>2048</block>"), LIVE
    )
    assert virtio.alias == "virtiomem0"
    assert b"<current unit='KiB'>0</current>" in qemu.dumpxml("vm")
    with pytest.raises(DomainError, match="nvdimm is not enabled"):
        qemu.changes.attach(
            "vm",
            memory("128", model="nvdimm", more=f"<source><path>{tmp_path}/nv</path></source>"),
            LIVE,
        )
    program = find_qemu()
    if program is not None and program.version == MODELLED:
        with pytest.raises(DomainError, match="virtio based memory devices cannot be unplugged"):
            qemu.changes.detach_alias("vm", "virtiomem0", LIVE)
    qemu.consistent()


def test_without_a_guest_nobody_answers_and_both_definitions_keep_it(plugged):
    before = plugged.documents()[:2]
    assert not plugged.changes.detach("vm", DIMM, BOTH, wait_s=0.0).is_gone
    assert plugged.documents()[:2] == before
    assert plugged.info("vm").pending == ("dimm0",)


BACKED = {
    "file": "<memoryBacking><source type='file'/><discard/></memoryBacking>",
    "memfd": "<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>",
    "private": "<memoryBacking><access mode='private'/></memoryBacking>",
    "unmerged": "<memoryBacking><nosharepages/></memoryBacking>",
    "at once": "<memoryBacking><allocation mode='immediate' threads='2'/></memoryBacking>",
}


@pytest.mark.parametrize("numa", [True, False], ids=["nodes", "no nodes"])
@pytest.mark.parametrize("what", BACKED)
def test_qemu_takes_memory_from_where_the_definition_says(tmp_path, what, numa):
    path = require_qemu()
    parts = {} if numa else {"limit": "", "numa": ""}
    whole = domain(emulator=path, **parts).replace(b">512<", b">16<").replace(b"'512'", b"'16'")
    whole = whole.replace(b">524288<", b">16384<")
    with domains(tmp_path, path) as manager:
        manager.define(whole.replace(b"<vcpu", BACKED[what].encode() + b"<vcpu"))
        manager.changes.start("vm")
        (backend,) = [each for each in manager.ask("query-memdev")
                      if each["id"] in {"ram-node0", "pc.ram"}]  # fmt: skip
        assert backend["size"] == 16 << 20
        assert backend["share"] is (what == "memfd")
        assert backend["merge"] is (what != "unmerged")
        assert backend["prealloc"] is (what == "at once")
        if not numa:
            return
        manager.changes.attach("vm", memory("128"), LIVE)
        (dimm,) = [each for each in manager.ask("query-memdev") if each["id"] == "memdimm0"]
        named = ("share", "merge", "prealloc")
        assert [dimm[each] for each in named] == [backend[each] for each in named]


def test_what_is_plugged_later_finds_the_places_of_what_the_machine_began_with(tmp_path):
    path = require_qemu()
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(1 << 20))
    devices = (
        f"    <disk type='file'><source file='{disk}'/><target dev='vda' bus='virtio'/></disk>\n"
        "    <memballoon model='virtio'/>\n"
    )
    whole = domain(emulator=path, devices=devices).replace(b"    <memballoon model='none'/>\n", b"")
    virtio = memory("256", model="virtio-mem", target="<block>2048</block>")
    with domains(tmp_path / "domains", path) as manager:
        manager.define(whole)
        manager.changes.start("vm", paused=True)
        assert manager.dumpxml("vm").count(b"<address type='pci'") == 2
        assert manager.dumpxml("vm", inactive=True).count(b"<address type='pci'") == 0
        manager.changes.attach("vm", virtio, BOTH)
        manager.changes.attach("vm", virtio, BOTH)
        manager.consistent()
        manager.changes.destroy("vm")
        manager.changes.start("vm", paused=True)  # of what was stored
        manager.consistent()


def test_a_q35_without_ports_takes_what_goes_behind_one_at_its_start_and_one_more_later(tmp_path):
    path = require_qemu()
    device = memory("128", model="virtio-mem", target="<block>2048</block>")
    with domains(tmp_path, path) as found:
        text = domain(emulator=path, devices=device.decode() + "\n")
        found.define(text.replace(b"pc-i440fx-7.2", b"q35"))
        found.changes.start("vm", paused=True)
        assert found.plugged() == ["virtiomem0"]
        found.changes.attach("vm", device, BOTH)
        assert set(found.plugged()) == {"virtiomem0", "virtiomem1"}
        with pytest.raises(DomainError, match="no PCI address is free"):
            found.changes.attach("vm", device, LIVE)
        found.changes.attach("vm", device, CONFIG)
        found.changes.destroy("vm", graceful=False)
        found.changes.start("vm", paused=True)
        assert set(found.plugged()) == {f"virtiomem{number}" for number in range(3)}
        places = [each.address.bus for each in found.store.definition("vm").devices]
        assert places == [1, 2, 3]


def test_memory_in_files_is_where_there_is_room_and_goes_with_what_it_was_of(tmp_path):
    path = require_qemu()
    with domains(tmp_path, path) as found:
        text = domain(emulator=path).replace(
            b"<vcpu", b"<memoryBacking><source type='file'/></memoryBacking><vcpu"
        )
        found.define(text)
        found.changes.start("vm", paused=True)
        folder = found.store.memory_folder("vm", 1)

        def files():
            return sorted(each.name for each in folder.iterdir())

        assert files() == ["ram-node0"]
        assert folder.stat().st_mode & 0o777 == 0o700
        found.changes.attach("vm", DIMM, BOTH)
        assert files() == ["dimm0", "ram-node0"]
        with pytest.raises(DomainError, match="address range conflicts"):
            found.changes.attach("vm", at(3, 0x1_1000_0000), LIVE)
        assert files() == ["dimm0", "ram-node0"]
        found.changes.destroy("vm", graceful=False)
        assert not folder.exists()
        found.changes.start("vm", paused=True)  # the one that is stored is there at its start
        assert files() == ["dimm0", "ram-node0"]


ODD_PLACES = {
    "anonymous": ("128", "", 0x1_8000_1000, False),
    "a file": ("128", " access='shared'", 0x1_8000_1000, True),
    "a file of an odd size": ("3", " access='shared'", 0x1_9000_0000, True),
    "a file beside a page": ("128", " access='shared'", 0x1_A000_0800, False),
}


@pytest.mark.parametrize("what", ODD_PLACES)
def test_the_stored_definition_takes_the_places_that_qemu_takes(qemu, what):
    size, words, base, is_taken = ODD_PLACES[what]
    place = f"<address type='dimm' slot='{8 + list(ODD_PLACES).index(what)}' base='{base:#x}'/>"
    data = memory(size, words=words, more=place)
    before = qemu.dumpxml("vm", inactive=True)
    for targets in (LIVE, CONFIG):
        if is_taken:
            qemu.changes.attach("vm", data, targets, force=True)
        else:
            with pytest.raises(DomainError):
                qemu.changes.attach("vm", data, targets, force=True)
    assert (qemu.dumpxml("vm", inactive=True) != before) is is_taken
