"""Somebody else changes the same machine: a refusal for their sake says that it is theirs."""

import pytest

from guestmap.domain.rules.errors import DomainError, Speaker
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, DIMM, LIVE, domains
from tests.support.qemu import require_qemu

pytestmark = pytest.mark.qemu
BUSY = "internal error: unable to execute QEMU command 'device_add': slot {} is busy"


@pytest.fixture
def qemu(tmp_path):
    path = require_qemu()
    with domains(tmp_path, path) as found:
        found.define(domain(emulator=path, limit="<maxMemory slots='3' unit='GiB'>8</maxMemory>"))
        found.changes.start("vm", paused=True)
        found.changes.attach("vm", DIMM, BOTH)
        yield found


def stranger_plugs(manager, name, slot):
    backend = {"qom-type": "memory-backend-ram", "id": f"their-{name}", "size": 128 << 20}
    assert manager.ask("object-add", **backend) == {}
    device = {"driver": "pc-dimm", "id": name, "memdev": f"their-{name}", "slot": slot}
    assert manager.ask("device_add", **device) == {}


def refused(manager, data):
    """Have an attach refused, with everything as before; give the error."""
    before = manager.documents()
    with pytest.raises(DomainError) as told:
        manager.changes.attach("vm", data, BOTH)
    assert manager.documents() == before
    assert manager.backends() == ["memdimm0"]
    assert manager.store.notes("vm").read() is None
    assert told.value.speaker is Speaker.QEMU
    return told.value


def test_a_slot_that_they_took_is_told_as_theirs(qemu):
    stranger_plugs(qemu, "theirs", 1)
    error = refused(qemu, DIMM)
    assert error.text == BUSY.format(1)
    assert error.remedy == (
        "theirs, which was plugged by somebody else, has it: give <address type='dimm' slot='N'/>,"
        " free: 2"
    )
    qemu.changes.attach("vm", memory(more="<address type='dimm' slot='2'/>"), BOTH)
    assert qemu.known() == [("dimm0", 0), ("dimm2", 2)]


def test_no_slot_is_free_when_they_took_the_last(qemu):
    for slot in (1, 2):
        stranger_plugs(qemu, f"theirs{slot}", slot)
    assert refused(qemu, DIMM).remedy.endswith("slot='N'/>, but no slot is free")


def test_a_slot_that_they_gave_back_meanwhile_is_worth_another_try(qemu, monkeypatch):
    stranger_plugs(qemu, "theirs", 1)
    monkeypatch.setattr("guestmap.domain.change.link.Link.memory_devices", lambda _: [])
    assert refused(qemu, DIMM).remedy == "whoever had it has let go of it since: try again"


def test_what_they_plugged_stays_when_ours_goes(qemu):
    stranger_plugs(qemu, "theirs", 2)
    qemu.changes.attach("vm", DIMM, LIVE)
    assert sorted(qemu.plugged()) == ["dimm0", "dimm1", "theirs"]
    assert qemu.known() == [("dimm0", 0), ("dimm1", 1)]
    assert qemu.info("vm").memory_devices == 2
