"""Detaching: the guest decides; both definitions lose the same device, when it has let go."""

import pytest

from guestmap.domain.events.log import Tail
from guestmap.domain.rules.errors import DomainError, Speaker
from tests.domain.documents import memory
from tests.support.domains import BOTH, CONFIG, DIMM, LIVE


def test_what_is_sent_is_libvirts_to_the_byte(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    before = len(manager.told())
    done = manager.changes.detach("vm", DIMM, BOTH)
    assert (done.alias, done.is_gone) == ("dimm0", True)
    assert manager.told()[before:] == [
        '{"execute":"qmp_capabilities","id":"libvirt-1"}\r\n',
        '{"execute":"device_del","arguments":{"id":"dimm0"},"id":"libvirt-2"}\r\n',
        '{"execute":"object-del","arguments":{"id":"memdimm0"},"id":"libvirt-3"}\r\n',
        '{"execute":"qom-list","arguments":{"path":"/machine/peripheral"},"id":"libvirt-4"}\r\n',
    ]


def test_both_definitions_are_as_before_the_attach(manager):
    manager.running()
    live, inactive, *_ = manager.documents()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.changes.detach("vm", DIMM, BOTH)
    old = b"<memory unit=\"MiB\" dumpCore='off'>512<"
    new = b"<memory unit='KiB' dumpCore='off'>524288<"
    assert manager.documents()[:2] == (live.replace(old, new), inactive.replace(old, new))
    manager.consistent()


def test_a_guest_that_refuses_keeps_it_and_its_words_are_told(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    before = manager.documents()
    manager.ask("x-fake-guest", does="refuse")
    tail = Tail(manager.log)
    with pytest.raises(DomainError) as refused:
        manager.changes.detach("vm", DIMM, BOTH)
    error = refused.value
    assert error.text == "operation failed: unplug of device was rejected by the guest"
    assert (error.code, error.domain, error.speaker) == (9, 10, Speaker.GUEST)
    assert error.remedy == "Eject Request: device busy (_OST 0x3, 0x82)"
    assert manager.documents() == before
    (told,) = (each for each in tail.news() if each.event == "device-removal-failed")
    assert (told.domain, told.detail) == ("vm", "dimm0")
    assert told.facts == {"reason": error.remedy}
    manager.consistent()


def test_a_guest_that_says_nothing_keeps_it_in_both_definitions_until_it_lets_go(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    live, inactive, *_ = manager.documents()
    manager.ask("x-fake-guest", does="silent")
    done = manager.changes.detach("vm", DIMM, BOTH, wait_s=0.0)
    assert not done.is_gone
    assert manager.documents()[:2] == (live, inactive)
    assert manager.info("vm").pending == ("dimm0",)

    manager.ask("x-fake-eject", id="dimm0")
    manager.changes.reconnect("vm")
    assert manager.known() == manager.known(live=False) == []
    assert manager.info("vm").pending == ()
    manager.consistent()


def test_what_was_asked_of_the_machine_alone_stays_in_the_definition(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.ask("x-fake-guest", does="silent")
    manager.changes.detach("vm", DIMM, LIVE, wait_s=0.0)
    manager.ask("x-fake-eject", id="dimm0")
    manager.changes.reconnect("vm")
    assert manager.known() == []
    assert manager.known(live=False) == [(None, 0)]


def test_a_backend_that_is_gone_too_ends_no_guest(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, LIVE)
    manager.ask("x-fake-guest", does="silent")
    manager.changes.detach("vm", DIMM, LIVE, wait_s=0.0)
    manager.ask("x-fake-eject", id="dimm0")
    manager.ask("object-del", id="memdimm0")
    manager.changes.reconnect("vm")
    assert manager.store.running("vm") is not None
    manager.consistent()


def test_live_and_config_lose_the_same_of_two_equal_dimms(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.changes.attach("vm", DIMM, BOTH)
    second = memory(more="<address type='dimm' slot='1' base='0x120000000'/>")
    assert manager.changes.detach("vm", second, BOTH).alias == "dimm1"
    assert manager.known() == [("dimm0", 0)]
    assert manager.known(live=False) == [(None, 0)]


def test_with_slots_chosen_apart_the_one_without_a_twin_is_passed_over(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, CONFIG)  # slot 0 of the definition alone
    manager.changes.attach("vm", memory(more="<address type='dimm' slot='2'/>"), LIVE)
    manager.changes.attach("vm", memory(more="<address type='dimm' slot='3'/>"), BOTH)
    assert manager.changes.detach("vm", DIMM, BOTH).alias == "dimm3"
    assert manager.known() == [("dimm2", 2)]
    assert manager.known(live=False) == [(None, 0)]


def test_the_address_in_force_finds_the_device_in_the_definition_too(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    exact = memory(more="<address type='dimm' slot='0' base='0x100000000'/>")
    assert manager.changes.detach("vm", exact, BOTH).is_gone
    assert manager.known(live=False) == []


MISSING = {
    "live": (LIVE, ("device not found: model 'dimm' memory device not present in the domain"
             " configuration"), 99),
    "config": (CONFIG, "device not found: matching memory device was not found", 99),
}  # fmt: skip


@pytest.mark.parametrize("where", MISSING)
def test_a_device_that_is_not_there_is_not_asked_for(manager, where):
    targets, text, code = MISSING[where]
    manager.running()
    manager.changes.attach("vm", memory("256"), BOTH)
    before = len(manager.commands())
    with pytest.raises(DomainError) as refused:
        manager.changes.detach("vm", DIMM, targets)
    assert (refused.value.text, refused.value.code) == (text, code)
    assert "256" in refused.value.remedy or "262144" in refused.value.remedy
    assert manager.commands()[before:] == []


def test_a_device_that_qemu_does_not_know_is_gone(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.ask("x-fake-eject", id="dimm0")
    assert manager.changes.detach("vm", DIMM, BOTH).is_gone
    manager.consistent()


def test_a_device_is_detached_by_its_name(manager):
    manager.running()
    manager.changes.attach("vm", memory(more="<alias name='ua-big'/>"), LIVE)
    assert manager.changes.detach_alias("vm", "ua-big", LIVE).is_gone
    with pytest.raises(DomainError, match="no device found with alias dimm9"):
        manager.changes.detach_alias("vm", "dimm9", LIVE)


def test_a_slot_that_is_another_devices_in_the_machine_hides_no_twin(manager):
    manager.running()
    manager.changes.attach("vm", memory("256"), LIVE)  # slot 0 of the machine alone
    manager.changes.attach("vm", DIMM, BOTH)  # slot 1 there, slot 0 of the definition
    assert manager.changes.detach("vm", DIMM, BOTH).alias == "dimm1"
    assert manager.known(live=False) == []


def test_a_file_that_was_its_memory_goes_with_it(manager):
    manager.running()
    shared = memory("128", words=" access='shared'")
    alias = manager.changes.attach("vm", shared, BOTH).alias
    file = manager.store.memory_folder("vm", 1) / alias
    file.write_bytes(b"")  # QEMU makes it
    assert manager.changes.detach("vm", shared, BOTH).is_gone
    assert not file.exists()
