"""Attaching: libvirt's order, its bytes, its slots; and everything as before where it fails."""

import errno
from dataclasses import replace

import msgspec
import pytest

from guestmap.base import HostError
from guestmap.domain.change import changes
from guestmap.domain.change.attach_plan import plan_attach
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.store.status import parse_status
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, CONFIG, CURRENT, DIMM, LIVE


def test_what_is_sent_is_libvirts_to_the_byte(manager):
    manager.running()
    before = len(manager.told())
    manager.changes.attach("vm", DIMM, BOTH)
    assert manager.told()[before:] == [
        '{"execute":"qmp_capabilities","id":"libvirt-1"}\r\n',
        (
            '{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"memdimm0",'
            '"size":536870912},"id":"libvirt-2"}\r\n'
        ),
        (
            '{"execute":"device_add","arguments":{"driver":"pc-dimm","node":0,"memdev":"memdimm0",'
            '"id":"dimm0","slot":0},"id":"libvirt-3"}\r\n'
        ),
        '{"execute":"query-memory-devices","id":"libvirt-4"}\r\n',
        '{"execute":"qom-list","arguments":{"path":"/machine/peripheral"},"id":"libvirt-5"}\r\n',
    ]


def test_the_machines_word_counts_and_not_what_was_expected_of_it(manager, monkeypatch):
    def wrong(*args, **more):
        plan = plan_attach(*args, **more)
        return replace(plan, expected=msgspec.structs.replace(plan.live, size=1, node=7))

    monkeypatch.setattr(changes, "plan_attach", wrong)
    manager.running()
    manager.changes.attach("vm", DIMM, LIVE)
    (device,) = manager.store.running("vm").definition.devices
    (asked,) = manager.ask("query-memory-devices")
    told = asked["data"]
    assert (device.size * 1024, device.node, device.place) == (
        told["size"], told["node"], told["addr"],
    )  # fmt: skip
    assert parse_status(
        manager.store.status_file("vm").read_bytes(), LibvirtDialect.V9, "it"
    ).definition.devices == (device,)


def sent(manager, data, targets=LIVE):
    """Return the arguments of object-add and device_add, as text."""
    before = len(manager.told())
    manager.changes.attach("vm", data, targets, force=True)
    return [line.split('"arguments":', 1)[1].split(',"id":"libvirt')[0]
            for line in manager.told()[before:] if "add" in line]  # fmt: skip


FORMS = {
    "slot": (memory(more="<address type='dimm' slot='2'/>"), "memdimm2",
             '{"driver":"pc-dimm","node":0,"memdev":"memdimm2","id":"dimm2","slot":2}'),
    "slot and base": (memory(more="<address type='dimm' slot='3' base='0x180000000'/>"), "memdimm3",
                      ('{"driver":"pc-dimm","node":0,"memdev":"memdimm3","id":"dimm3","slot":3,'
                      '"addr":6442450944}')),
    "alias": (memory(more="<alias name='ua-big7'/>"), "memua-big7",
              '{"driver":"pc-dimm","node":0,"memdev":"memua-big7","id":"ua-big7","slot":0}'),
    "bad alias": (memory(more="<alias name='ua-x y'/>"), "memdimm0",
                  '{"driver":"pc-dimm","node":0,"memdev":"memdimm0","id":"dimm0","slot":0}'),
    "pages of the host": (memory(more="<source><pagesize>4</pagesize></source>"), "memdimm0",
                          '{"driver":"pc-dimm","node":0,"memdev":"memdimm0","id":"dimm0","slot":0}'),
    "unknown elements": (memory(target="<requested>1</requested><zip/>"), "memdimm0",
                         '{"driver":"pc-dimm","node":0,"memdev":"memdimm0","id":"dimm0","slot":0}'),
}  # fmt: skip
"""Forms of a DIMM, and what libvirt 9.0 and 12.9 send for each."""


@pytest.mark.parametrize("form", FORMS)
def test_each_form_of_a_dimm_becomes_what_libvirt_makes_of_it(manager, form):
    data, backend, device = FORMS[form]
    manager.running()
    assert sent(manager, data) == [
        f'{{"qom-type":"memory-backend-ram","id":"{backend}","size":536870912}}', device,
    ]  # fmt: skip


def test_shared_memory_is_a_file_of_the_machine(manager):
    manager.running()
    made, _ = sent(manager, memory(words=" access='shared' discard='yes'"))
    folder = manager.store.memory_folder("vm", 1)
    path = folder / "dimm0"
    assert folder.is_dir()
    assert made == (
        f'{{"qom-type":"memory-backend-file","id":"memdimm0","mem-path":"{path}",'
        '"discard-data":true,"share":true,"size":536870912}'
    )


def test_virtio_mem_becomes_what_libvirt_makes_of_it(manager):
    manager.running()
    data = memory("1", "GiB", model="virtio-mem",
                  target="<block>2048</block><requested>4096</requested>")  # fmt: skip
    assert sent(manager, data) == [
        '{"qom-type":"memory-backend-ram","id":"memvirtiomem0","reserve":false,"size":1073741824}',
        (
            '{"driver":"virtio-mem-pci","node":0,"block-size":2097152,"requested-size":4194304,'
            '"memdev":"memvirtiomem0","id":"virtiomem0","bus":"pci.0","addr":"0x2"}'
        ),
    ]


def test_nvdimm_becomes_what_libvirt_makes_of_it(manager):
    manager.running()
    data = memory("256", model="nvdimm", more="<source><path>/srv/nv</path></source>",
                  target="<label><size>128</size></label><readonly/>")  # fmt: skip
    assert sent(manager, data) == [
        (
            '{"qom-type":"memory-backend-file","id":"memnvdimm0","mem-path":"/srv/nv",'
            '"prealloc":true,"size":268435456}'
        ),
        (
            '{"driver":"nvdimm","node":0,"label-size":131072,"unarmed":true,"memdev":"memnvdimm0",'
            '"id":"nvdimm0","slot":0}'
        ),
    ]


def test_the_machine_says_the_address_and_only_the_live_definition_has_it(manager):
    manager.running()
    device = manager.changes.attach("vm", DIMM, BOTH)
    assert (device.alias, device.slot, device.place) == ("dimm0", 0, 0x1_0000_0000)
    live, inactive, *_ = manager.documents()
    assert b"<address type='dimm' slot='0' base='0x100000000'/>" in live
    assert b"<address type='dimm' slot='0'/>" in inactive
    assert b"<memory unit='KiB' dumpCore='off'>1048576</memory>" in live
    assert b"<memory unit='KiB' dumpCore='off'>1048576</memory>" in inactive
    manager.consistent()


def test_slots_are_chosen_apart_in_each_definition(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, CONFIG)
    manager.changes.attach("vm", DIMM, BOTH)
    assert manager.known() == [("dimm0", 0)]
    assert manager.known(live=False) == [(None, 0), (None, 1)]


def test_current_is_the_machine_or_else_the_definition(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    manager.changes.attach("vm", DIMM, CURRENT)
    assert manager.known(live=False) == [(None, 0)]
    manager.changes.start("vm")
    assert manager.plugged() == ["dimm0"]
    manager.changes.attach("vm", DIMM, CURRENT)
    assert manager.known() == [("dimm0", 0), ("dimm1", 1)]
    assert manager.known(live=False) == [(None, 0)]


IN_THE_WAY = {
    "a rule": (memory(more="<address type='dimm' slot='4'/>"), Speaker.RULE, None),
    "the guest's blocks": (memory("100"), Speaker.OURS, None),
    "object-add": (DIMM, Speaker.QEMU, ("object-add", "out of memory")),
    "device_add": (DIMM, Speaker.QEMU, ("device_add", "memory hotplug is not enabled")),
}


@pytest.mark.parametrize("what", IN_THE_WAY)
@pytest.mark.parametrize("targets", [LIVE, BOTH])
def test_what_is_refused_leaves_all_documents_and_the_machine_as_they_were(manager, what, targets):
    data, speaker, refused = IN_THE_WAY[what]
    manager.running()
    before = manager.documents()
    if refused is not None:
        manager.ask("x-fake-refuse", command=refused[0], desc=refused[1])
    with pytest.raises(DomainError) as error:
        manager.changes.attach("vm", data, targets)
    assert error.value.speaker is speaker
    if refused is not None:
        assert error.value.text == (
            f"internal error: unable to execute QEMU command '{refused[0]}': {refused[1]}"
        )
        assert (error.value.code, error.value.domain) == (1, 10)
    assert manager.documents() == before
    assert manager.backends() == manager.plugged() == []
    manager.consistent()


def test_a_refused_device_takes_its_backend_along_in_the_same_connection(manager):
    manager.running()
    manager.ask("x-fake-refuse", command="device_add", desc="no")
    with pytest.raises(DomainError):
        manager.changes.attach("vm", DIMM, LIVE)
    assert manager.told()[-1] == (
        '{"execute":"object-del","arguments":{"id":"memdimm0"},"id":"libvirt-4"}\r\n'
    )


CONFIG_ONLY = {
    "no bytes": memory("0"),
    "3 MiB": memory("3"),
    "a base outside": memory(more="<address type='dimm' slot='0' base='0x10000000'/>"),
    "huge pages that are absent": memory(more="<source><pagesize unit='EiB'>1</pagesize></source>"),
    "a node that is absent": memory(more="<source><nodemask>4095</nodemask></source>"),
    "a place on PCI": memory(more="<address type='pci' slot='9'/>"),
    "part of a block": memory("100"),
}


@pytest.mark.parametrize("what", CONFIG_ONLY)
def test_the_stored_definition_takes_nothing_that_the_next_start_would_refuse(manager, what):
    manager.define(domain(emulator=str(manager.emulator)))
    before = manager.dumpxml("vm")
    with pytest.raises(DomainError):
        manager.changes.attach("vm", CONFIG_ONLY[what], CONFIG)
    assert manager.dumpxml("vm") == before


@pytest.mark.parametrize("file", ["status", "config"])
def test_what_cannot_be_saved_is_taken_out_again(manager, file, monkeypatch):
    manager.running()
    before = manager.documents()
    monkeypatch.setenv("GUESTMAP_FAULT", f"{file}.before-fsync={errno.ENOSPC}")
    with pytest.raises(HostError, match="dimm0 was taken out again; everything is as before"):
        manager.changes.attach("vm", DIMM, BOTH)
    monkeypatch.delenv("GUESTMAP_FAULT")
    assert manager.plugged() == []
    assert manager.documents()[:2] == before[:2]
    manager.consistent()


def test_what_cannot_be_saved_and_does_not_come_back_is_saved_by_the_next_change(
    manager, monkeypatch
):
    manager.running()
    manager.ask("x-fake-refuse", command="device_del", desc="not now")
    monkeypatch.setenv("GUESTMAP_FAULT", f"status.before-rename={errno.ENOSPC}")
    with pytest.raises(HostError, match="the next change of this domain"):
        manager.changes.attach("vm", DIMM, BOTH)
    monkeypatch.delenv("GUESTMAP_FAULT")
    manager.changes.reconnect("vm")
    assert manager.known() == [("dimm0", 0)]
    assert manager.known(live=False) == [(None, 0)]
    manager.consistent()


def test_a_note_that_cannot_be_written_begins_nothing(manager, monkeypatch):
    manager.running()
    before = len(manager.commands())
    monkeypatch.setenv("GUESTMAP_FAULT", f"journal.before-write={errno.EROFS}")
    with pytest.raises(HostError, match="Read-only"):
        manager.changes.attach("vm", DIMM, BOTH)
    assert manager.commands()[before:] == []


def test_a_backend_of_another_manager_is_named_and_left_alone(manager):
    manager.running()
    manager.ask("x-fake-backend", id="memdimm0", size=1 << 27)
    with pytest.raises(DomainError) as refused:
        manager.changes.attach("vm", DIMM, LIVE)
    assert "attempt to add duplicate property 'memdimm0'" in refused.value.text
    assert "memdimm0 belongs to no device" in refused.value.remedy
    assert manager.backends() == ["memdimm0"]


def test_behind_an_odd_dimm_the_guest_gets_one_that_it_can_use(manager):
    manager.running()
    manager.changes.attach("vm", memory("100"), LIVE, force=True)
    device = manager.changes.attach("vm", DIMM, LIVE)
    assert device.place == 0x1_0800_0000


def test_behind_an_odd_dimm_the_next_start_gives_the_guest_one_that_it_can_use(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    manager.changes.attach("vm", memory("100"), CONFIG, force=True)
    manager.changes.attach("vm", DIMM, CONFIG)
    assert [each.place for each in manager.store.definition("vm").devices] == [None, 0x1_0800_0000]


def test_what_the_stored_definition_is_refused_for_is_mended_in_the_document(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    remedies = []
    for base in (0x1_0020_0000, 0x1000_0000):
        data = memory(more=f"<address type='dimm' slot='0' base='{base:#x}'/>")
        with pytest.raises(DomainError) as refused:
            manager.changes.attach("vm", data, CONFIG)
        remedies.append(refused.value.remedy)
    assert remedies[0] == "write base='0x100000000'"
    assert remedies[1].startswith("choose an address in a gap, or leave base out")


def test_a_domain_that_does_not_run_is_not_attached_to(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    with pytest.raises(DomainError) as refused:
        manager.changes.attach("vm", DIMM, LIVE)
    assert refused.value.text == "Requested operation is not valid: domain is not running"
    assert (refused.value.code, refused.value.domain) == (55, 20)
