"""Who listens hears commands and guests, and finishes what a guest lets go of late."""

import os
import signal

import pytest

from guestmap.domain.change.which import Which
from guestmap.domain.events.listener import DomainListener
from guestmap.domain.events.log import EventLog, Tail
from guestmap.domain.process.launch import ends_soon
from guestmap.domain.rules.errors import DomainError
from guestmap.testing.qmp_peer import install
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, DIMM, LIVE, domains


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    return install(tmp_path_factory.mktemp("emulator") / "qemu-system-x86_64")


@pytest.fixture
def manager(tmp_path, emulator):
    with domains(tmp_path, emulator) as found:
        yield found


def heard_until(listener: DomainListener, kind: str, detail: str = "") -> list[tuple[str, str]]:
    """Listen until an event comes; fail where none does within ten seconds."""
    found: list[tuple[str, str]] = []

    def told(event):
        found.append((event.event, event.detail))
        return event.event == kind and detail in {"", event.detail}

    listener.run(told, seconds=10)
    assert found[-1] == (kind, detail or found[-1][1]), found
    return found


def test_an_attach_and_its_acknowledgement_are_heard(manager):
    manager.running()
    with DomainListener(manager) as listener:
        manager.changes.attach("vm", DIMM, LIVE)
        found = heard_until(listener, "guest-acknowledged")
    assert ("job", "started") in found
    assert ("device-added", "dimm0") in found
    assert found[-1] == ("guest-acknowledged", "dimm0")


def test_a_guest_that_lets_go_late_is_heard_and_both_definitions_lose_the_device(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.ask("x-fake-guest", does="silent")
    manager.changes.detach("vm", DIMM, BOTH, wait_s=0.0)
    with DomainListener(manager) as listener:
        manager.ask("x-fake-eject", id="dimm0")
        assert heard_until(listener, "device-removed")[-1] == ("device-removed", "dimm0")
    assert manager.known() == manager.known(live=False) == []
    manager.consistent()


def test_a_guest_that_let_go_while_nobody_listened_is_found_at_once(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.ask("x-fake-guest", does="silent")
    manager.changes.detach("vm", DIMM, BOTH, wait_s=0.0)
    manager.ask("x-fake-eject", id="dimm0")
    with DomainListener(manager):
        pass
    assert manager.known(live=False) == []


def test_a_refusal_is_an_event(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, LIVE)
    manager.ask("x-fake-guest", does="refuse")
    with DomainListener(manager) as listener:
        with pytest.raises(DomainError):
            manager.changes.detach("vm", DIMM, LIVE)
        assert ("device-removal-failed", "dimm0") in heard_until(listener, "device-removal-failed")


def test_another_size_is_an_event_and_shown(manager):
    manager.running()
    virtio = memory("1", "GiB", model="virtio-mem", target="<block>2048</block>")
    manager.changes.attach("vm", virtio, LIVE)
    with DomainListener(manager) as listener:
        manager.changes.update("vm", Which(), 4096, LIVE)
        heard_until(listener, "memory-device-size-change", "virtiomem0")
    assert b"<requested unit='KiB'>4096</requested>" in manager.dumpxml("vm")


def test_starts_and_ends_are_heard_of_machines_that_came_later(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    with DomainListener(manager, "vm") as listener:
        manager.changes.start("vm")
        heard_until(listener, "lifecycle", "started")
        manager.changes.reset("vm")
        heard_until(listener, "lifecycle", "reset")
        manager.changes.shutdown("vm")
        heard_until(listener, "lifecycle", "stopped")


def test_a_machine_that_ended_while_nobody_listened_is_told_of(manager):
    process = manager.running().process
    os.kill(process.number, signal.SIGKILL)
    assert ends_soon(process, 60)
    with DomainListener(manager) as listener:
        assert heard_until(listener, "lifecycle", "stopped") == [("lifecycle", "stopped")]


def test_a_second_listener_hears_what_the_first_tells(manager):
    manager.running()
    with DomainListener(manager), DomainListener(manager) as second:
        manager.changes.attach("vm", DIMM, LIVE)
        heard_until(second, "device-added", "dimm0")


def test_a_long_log_is_begun_anew_and_nothing_is_missed(tmp_path, monkeypatch):
    monkeypatch.setattr("guestmap.domain.events.log._MOST_BYTES", 2000)
    log = EventLog(tmp_path / "events")
    tail, seen = Tail(log), []
    for number in range(100):
        log.tell("job", "vm", str(number))
        seen += [each.detail for each in tail.news()]
    assert seen == [str(number) for number in range(100)]
    assert (tmp_path / "events").stat().st_size < 2100
