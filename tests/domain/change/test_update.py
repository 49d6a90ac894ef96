"""Another size of a virtio-mem device: in the machine, in the definition, or in both."""

import pytest

from guestmap.domain.change.which import Which
from guestmap.domain.rules.errors import DomainError
from tests.domain.documents import memory
from tests.support.domains import BOTH, CONFIG, LIVE

VIRTIO = memory("1", "GiB", model="virtio-mem", target="<block>2048</block>")


@pytest.fixture
def started(manager):
    manager.running()
    manager.changes.attach("vm", VIRTIO, BOTH)
    return manager


def test_what_is_sent_is_libvirts_to_the_byte(started):
    started.changes.update("vm", Which("virtiomem0"), 524288, BOTH)
    assert started.told()[-1] == (
        '{"execute":"qom-set","arguments":{"path":"/machine/peripheral/virtiomem0",'
        '"property":"requested-size","value":536870912},"id":"libvirt-2"}\r\n'
    )


WAYS = {"alias": Which("virtiomem0"), "node": Which(node=0), "the only one": Which()}


@pytest.mark.parametrize("way", WAYS)
def test_the_device_is_found_with_and_without_its_name(started, way):
    started.changes.update("vm", WAYS[way], 524288, BOTH)
    live, inactive, *_ = started.documents()
    assert b"<requested unit='KiB'>524288</requested>" in live
    assert b"<requested unit='KiB'>524288</requested>" in inactive


@pytest.mark.parametrize("targets", [LIVE, CONFIG])
def test_what_is_not_meant_stays(started, targets):
    started.changes.update("vm", Which(), 524288, targets)
    live, inactive, *_ = started.documents()
    assert (b">524288</requested>" in live) is targets.live
    assert (b">524288</requested>" in inactive) is targets.config


REFUSED = {
    "another name": (Which("virtiomem9"), 2048, "memory 'virtiomem9' not found", 67),
    "another node": (Which(node=7), 2048, "not found", 67),
    "more than it has": (Which(), 2 << 20, ("requested size must be smaller than or equal to @size"
                         " (1048576KiB)"), 35),
    "part of a block": (Which(), 1024, "requested size must be an integer multiple of block size",
                        35),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_and_nothing_sent(started, what):
    which, size, text, code = REFUSED[what]
    before = started.told(), started.documents()
    with pytest.raises(DomainError) as refused:
        started.changes.update("vm", which, size, BOTH)
    assert text in refused.value.text
    assert refused.value.code == code
    assert started.documents() == before[1]
    assert started.told() == before[0]


def test_what_qemu_refuses_changes_no_document(started):
    before = started.documents()
    started.ask("x-fake-refuse", command="qom-set", desc="no")
    with pytest.raises(DomainError, match="unable to execute QEMU command 'qom-set': no"):
        started.changes.update("vm", Which(), 524288, BOTH)
    assert started.documents() == before
    started.consistent()


def own(started, *, requested: int = 4096) -> str:
    """Return the document of the device that runs, with another size asked for."""
    text = started.dumpxml("vm").decode()
    document = text[text.index("<memory model='virtio-mem'") :]
    document = document[: document.index("</memory>") + len("</memory>")]
    return document.replace("<requested unit='KiB'>0<", f"<requested unit='KiB'>{requested}<")


def test_a_device_is_updated_by_its_own_document_in_both(started):
    started.changes.update_device("vm", own(started).encode(), BOTH)
    live, inactive, *_ = started.documents()
    assert b"<requested unit='KiB'>4096</requested>" in live
    assert b"<requested unit='KiB'>4096</requested>" in inactive
    assert '"value":4194304' in started.told()[-1]


def test_a_device_without_its_name_is_the_one_that_fits(started):
    started.changes.update_device("vm", own(started).replace("virtiomem0", "").encode(), CONFIG)
    document = own(started).replace("<alias name='virtiomem0'/>", "")
    started.changes.update_device("vm", document.encode(), LIVE)
    assert b"<requested unit='KiB'>4096</requested>" in started.documents()[0]


FIXED = {
    "size": (">1048576<", ">2097152<", "cannot modify memory size from '1048576' to '2097152'"),
    "block": (">2048<", ">4096<", "cannot modify memory block size from '2048' to '4096'"),
    "access": ("model=", "access='shared' model=",
               "cannot modify memory access from 'default' to 'shared'"),
    "model": ("virtio-mem", "dimm", "cannot modify memory of model 'dimm'"),
    "name": ("virtiomem0", "virtiomem9", "memory 'virtiomem9' not found"),
}  # fmt: skip


@pytest.mark.parametrize("what", FIXED)
@pytest.mark.parametrize("targets", [LIVE, CONFIG, BOTH])
def test_nothing_else_of_a_device_changes(started, what, targets):
    old, new, text = FIXED[what]
    document = own(started).replace(old, new).replace("<address type='pci'", "<odd")
    before = started.documents()
    if targets is CONFIG and what == "name":  # the stored definition has no names
        started.changes.update_device("vm", document.encode(), targets)
        return
    with pytest.raises(DomainError, match=text):
        started.changes.update_device("vm", document.encode(), targets)
    assert started.documents() == before


def test_the_device_as_it_would_be_is_shown_and_nothing_changes(started):
    before = started.documents()
    text = started.resized_xml("vm", Which(), 4096, LIVE)
    assert "<requested unit='KiB'>4096</requested>" in text
    assert "<alias name='virtiomem0'/>" in text
    assert "alias" not in started.resized_xml("vm", Which(), 4096, CONFIG)
    assert started.documents() == before


OWN_FAULTS = {
    "block": (">2048<", ">3072<", "block size must be a power of two"),
    "small block": (">2048<", ">1024<", "block size too small, must be at least 2048KiB"),
    "requested": (">4096<", ">2097152<",
                  "requested size must be smaller than or equal to @size (1048576KiB)"),
    "part": (">4096<", ">1024<", "requested size must be an integer multiple of block size"),
}  # fmt: skip


@pytest.mark.parametrize("what", OWN_FAULTS)
@pytest.mark.parametrize("targets", [LIVE, CONFIG, BOTH])
def test_what_is_wrong_with_a_document_itself_is_told_first(started, what, targets):
    old, new, text = OWN_FAULTS[what]
    document = own(started)
    assert old in document
    with pytest.raises(DomainError) as refused:
        started.changes.update_device("vm", document.replace(old, new).encode(), targets)
    assert (refused.value.text, refused.value.code) == (text, 35)


def test_a_device_is_emptied_to_the_last_byte(started):
    started.changes.update("vm", Which(), 524288, BOTH)
    started.changes.update("vm", Which(), 0, BOTH)
    assert '"property":"requested-size","value":0}' in started.told()[-1]
    live, inactive, *_ = started.documents()
    assert b"<requested unit='KiB'>0</requested>" in live
    assert b"<requested unit='KiB'>0</requested>" in inactive
    started.consistent()


def test_all_of_a_device_can_be_requested(started):
    started.changes.update("vm", Which(), 1 << 20, BOTH)
    assert '"value":1073741824}' in started.told()[-1]


def test_of_two_devices_the_one_that_is_named_changes(started):
    started.changes.attach("vm", VIRTIO, BOTH)
    started.changes.update("vm", Which("virtiomem1"), 4096, BOTH)
    assert [each.requested for each in started.store.running("vm").definition.devices] == [0, 4096]
    assert [each.requested for each in started.store.definition("vm").devices] == [0, 4096]
    with pytest.raises(DomainError) as refused:
        started.changes.update("vm", Which(), 4096, BOTH)
    assert refused.value.remedy == (
        "say which: --alias or --node (there are: virtiomem0 in node 0, virtiomem1 in node 0)"
    )


def test_a_machine_that_does_not_run_has_the_size_from_its_start(started):
    started.changes.destroy("vm")
    started.changes.update("vm", Which(), 4096, CONFIG)
    assert [each.requested for each in started.store.definition("vm").devices] == [4096]
    started.changes.start("vm")
    (device,) = started.ask("query-memory-devices")
    assert device["data"]["requested-size"] == 4096 * 1024


def test_a_device_of_the_machine_alone_is_not_changed_in_both(manager):
    manager.running()
    manager.changes.attach("vm", VIRTIO, LIVE)
    before = manager.told()
    with pytest.raises(DomainError, match="invalid argument: memory not found"):
        manager.changes.update("vm", Which(), 4096, BOTH)
    assert manager.told() == before
