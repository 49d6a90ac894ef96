"""Starting and ending: what runs is known, what does not start leaves nothing, ends are certain."""

import os
import signal
from types import SimpleNamespace

import pytest

from guestmap.base import GuestmapError, HostError, PeerError
from guestmap.domain.change import start as starting
from guestmap.domain.change.targets import Targets
from guestmap.domain.manager import Manager
from guestmap.domain.rules.errors import DomainError, Speaker
from guestmap.domain.xml.definition import QEMU_NAMESPACE
from guestmap.qmp.client import GoneError
from tests.domain.documents import domain, memory
from tests.support.domains import BOTH, CONFIG, DIMM


def test_a_machine_is_started_listed_and_ended(manager):
    status = manager.running()
    assert manager.ask("query-status")["running"]
    (listed,) = manager.domains()
    assert (listed.id, listed.state) == (1, "running")
    assert manager.dumpxml("vm").startswith(b"<domain id='1' type='qemu'>")
    manager.changes.destroy("vm")
    assert manager.domains() == ()
    assert not status.process.is_alive
    assert not manager.store.machine_folder("vm").exists()
    assert b"id=" not in manager.dumpxml("vm").split(b"\n")[2]


def test_a_paused_machine_waits(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    manager.changes.start("vm", paused=True)
    assert manager.ask("query-status") == {"status": "prelaunch", "running": False}
    assert manager.info("vm").state == "paused"


def test_devices_of_the_definition_are_there_from_the_start(manager):
    manager.define(domain(emulator=str(manager.emulator)))
    manager.changes.attach("vm", DIMM, CONFIG)
    manager.changes.attach("vm", memory("256"), CONFIG)
    manager.changes.start("vm")
    assert manager.plugged() == ["dimm0", "dimm1"]
    found = manager.store.running("vm").definition
    assert [(each.alias, each.place) for each in found.devices] == [
        ("dimm0", 0x1_0000_0000), ("dimm1", 0x1_2000_0000),
    ]  # fmt: skip
    assert b"alias" not in manager.dumpxml("vm", inactive=True)


def test_a_running_domain_is_not_started_again(manager):
    manager.running()
    with pytest.raises(DomainError, match="domain is already running"):
        manager.changes.start("vm")
    assert manager.ask("query-status")["running"]


def test_an_emulator_that_is_not_there_is_named(manager):
    manager.define(domain(emulator="/nowhere/qemu"))
    with pytest.raises(DomainError) as refused:
        manager.changes.start("vm")
    assert refused.value.text == "Cannot check QEMU binary /nowhere/qemu: No such file or directory"
    assert (refused.value.code, refused.value.line) == (38, 17)


def test_a_machine_that_ends_at_once_leaves_its_last_words_and_nothing_else(manager):
    troubled = domain(emulator=str(manager.emulator)).replace(
        b"</domain>",
        f"<q:commandline xmlns:q='{QEMU_NAMESPACE}'><q:env name='FAKE_TROUBLE' value='no disk'/>"
        "</q:commandline></domain>".encode(),
    )
    manager.define(troubled)
    with pytest.raises(DomainError) as refused:
        manager.changes.start("vm")
    assert refused.value.text == (
        "internal error: qemu unexpectedly closed the monitor: fake: no disk"
    )
    assert refused.value.speaker is Speaker.QEMU
    assert manager.store.status("vm") is None


def test_a_machine_that_was_killed_is_shut_off(manager):
    status = manager.running()
    os.kill(status.process.number, signal.SIGKILL)
    os.waitpid(status.process.number, 0)
    assert manager.info("vm").state == "shut off"
    manager.changes.start("vm")
    assert manager.ask("query-status")["running"]


def test_a_guest_that_shuts_down_ends_its_machine(manager):
    status = manager.running()
    manager.changes.shutdown("vm")
    os.waitpid(status.process.number, 0)
    assert manager.info("vm").state == "shut off"


def test_a_reset_is_read_again_as_libvirt_does(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    before = len(manager.told())
    manager.changes.reset("vm")
    sent = [line.split('"')[3] for line in manager.told()[before:]]
    assert sent == ["qmp_capabilities", "system_reset", "query-memory-devices", "qom-list"]


def test_a_machine_that_answers_nonsense_can_be_ended(manager):
    manager.running()
    manager.changes.attach("vm", DIMM, BOTH)
    manager.ask("x-fake-guest", does="silent")
    manager.changes.detach("vm", DIMM, BOTH, wait_s=0.0)
    manager.ask("x-fake-refuse", command="qom-list", desc="no")
    with pytest.raises(DomainError):
        manager.changes.reconnect("vm")
    manager.changes.destroy("vm")
    assert manager.domains() == ()


def test_an_undefined_domain_runs_on_and_is_gone_with_its_machine(manager):
    manager.running()
    manager.undefine("vm")
    assert [each.persistent for each in manager.domains()] == [False]
    with pytest.raises(DomainError, match="transient domains do not have any persistent config"):
        manager.changes.attach("vm", DIMM, BOTH)
    manager.changes.destroy("vm")
    assert manager.domains(everything=True) == ()


def test_a_machine_that_ended_undefined_is_listed_no_more(manager):
    status = manager.running()
    manager.undefine("vm")
    manager.changes.shutdown("vm")
    os.waitpid(status.process.number, 0)
    assert manager.domains(everything=True) == ()
    manager.define(domain(emulator=str(manager.emulator)))
    manager.undefine("vm")
    assert not manager.store.status_file("vm").exists()


def test_numbers_are_of_those_that_run(manager):
    first = manager.running("a")
    assert (first.id, manager.running("b").id) == (1, 2)
    manager.changes.destroy("b")
    assert manager.running("c").id == 2


CONTRADICTING = {
    "live and current": Targets(live=True, current=True),
    "config and current": Targets(config=True, current=True),
}


@pytest.mark.parametrize("what", CONTRADICTING)
def test_flags_that_contradict_each_other_are_refused(manager, what):
    manager.running()
    with pytest.raises(DomainError, match="mutually exclusive"):
        manager.changes.attach("vm", DIMM, CONTRADICTING[what])


def test_the_balloon_moves_what_the_definition_says(manager):
    with_balloon = domain(emulator=str(manager.emulator)).replace(b"'none'", b"'virtio'")
    manager.define(with_balloon)
    manager.changes.start("vm")
    manager.changes.set_memory("vm", 262144, BOTH)
    assert manager.told()[-1] == (
        '{"execute":"balloon","arguments":{"value":268435456},"id":"libvirt-2"}\r\n'
    )
    stored, running = manager.store.known("vm")
    assert stored.current == running.definition.current == 262144
    with pytest.raises(DomainError, match="cannot set memory higher than max memory"):
        manager.changes.set_memory("vm", 1 << 20, BOTH)


def test_without_a_balloon_the_guest_cannot_be_asked(manager):
    manager.running()
    with pytest.raises(DomainError, match="without the balloon device"):
        manager.changes.set_memory("vm", 262144, Targets(live=True))


def test_who_may_change_a_domain_is_asked_before_anything_is_done(manager):
    asked: list[tuple[str, str]] = []

    def allow(name: str, verb: str) -> None:
        asked.append((name, verb))
        raise DomainError(29, "operation forbidden: not you")

    manager.running()
    before = manager.told()
    guarded = Manager(manager.store, allow=allow)
    with pytest.raises(DomainError, match="not you"):
        guarded.changes.attach("vm", DIMM, BOTH)
    assert asked == [("vm", "attach-device")]
    assert manager.told() == before
    assert guarded.dumpxml("vm")


def test_a_machine_that_runs_undefined_is_shown_and_has_nothing_stored(manager):
    manager.running()
    live = manager.dumpxml("vm")
    manager.undefine("vm")
    assert manager.dumpxml("vm") == live
    with pytest.raises(DomainError) as refused:
        manager.dumpxml("vm", inactive=True)
    assert refused.value.code == 55
    assert refused.value.text.endswith("the domain runs, and has no stored definition")
    assert (refused.value.speaker, refused.value.remedy) == (Speaker.OURS, "ask without --inactive")
    with pytest.raises(DomainError, match="cannot undefine transient domain"):
        manager.undefine("vm")
    assert [each.persistent for each in manager.domains()] == [False]


@pytest.mark.parametrize(
    ("error", "ends", "lives", "told"),
    [
        (GoneError("it hung up"), True, True, "died"),
        (GoneError("it hung up"), False, True, "it hung up"),
        (GoneError("it hung up"), False, False, "died"),
        (PeerError("no JSON"), True, True, "no JSON"),
        (PeerError("no JSON"), False, False, "died"),
        (HostError("no such socket"), True, False, "died"),
    ],
)
def test_what_is_told_of_a_monitor_that_does_not_greet(
    monkeypatch, tmp_path, error, ends, lives, told
):
    def fails(_monitor, _seconds):
        raise error

    monkeypatch.setattr(starting, "greeted", fails)
    monkeypatch.setattr(starting, "ends_soon", lambda _process: ends)
    monkeypatch.setattr(starting, "_died", lambda _status, _log: DomainError(0, "died"))
    status = SimpleNamespace(monitor="vm.sock", process=None, is_alive=lives)
    with pytest.raises(GuestmapError, match=told):
        starting._greeted(status, tmp_path / "log")


def test_a_socket_that_comes_late_is_waited_for(monkeypatch, tmp_path):
    tries = iter([HostError("no such socket"), HostError("no such socket"), "the monitor"])

    def greeted(_monitor, _seconds):
        if isinstance(found := next(tries), HostError):
            raise found
        return found

    monkeypatch.setattr(starting, "greeted", greeted)
    monkeypatch.setattr(starting, "_POLL_S", 0)
    status = SimpleNamespace(monitor="vm.sock", process=None, is_alive=True)
    assert starting._greeted(status, tmp_path / "log") == "the monitor"
    monkeypatch.setattr(starting, "GREETING_S", 0.0)
    tries = iter([HostError("no such socket")])
    with pytest.raises(HostError):
        starting._greeted(status, tmp_path / "log")
