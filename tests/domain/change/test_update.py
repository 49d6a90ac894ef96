"""Another size of a virtio-mem device: in the machine, in the definition, or in both."""

import pytest

from guestmap.domain.change.update import Which
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
