"""A libvirt domain, by way of a stand-in for libvirt-python with its names, numbers and errors."""

from __future__ import annotations

import errno
import json
import os
import sys
import threading

import pytest

from guestmap.base import (
    ConfigError,
    GuestmapError,
    HostError,
    PeerError,
    StateError,
    UnsupportedError,
)
from guestmap.inspect.sources.live import Attachment, attach
from guestmap.qmp.client import CommandError, GoneError, LibvirtTarget, Monitor
from guestmap.qmp.client.libvirt_api import Libvirt
from guestmap.qmp.client.libvirt_channel import LibvirtChannel
from tests.inspect.sources.test_attachment import FULL
from tests.qmp.client.peer import FakeQemu


class FakeLibvirtError(Exception):
    """libvirt.libvirtError: a message and a number (virterror.h)."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self._code = code

    def get_error_code(self) -> int:
        return self._code


class FakeDomain:
    def __init__(self, name: str, qemu: FakeQemu | None) -> None:
        self._name = name
        self.qemu = qemu

    def name(self) -> str:
        return self._name


class FakeLibvirt:
    """Both modules, and the one connection that they give."""

    libvirtError = FakeLibvirtError  # noqa: N815

    def __init__(self, *domains: FakeDomain) -> None:
        self.domains = {domain.name(): domain for domain in domains}
        self.opened: list[str | None] = []
        self.closed = 0
        self.handlers: list[object] = []
        self.refusal: FakeLibvirtError | None = None
        self.reply: str | None = None
        self.flags: list[int] = []

    def open(self, name: str | None = None) -> FakeLibvirt:
        self.opened.append(name)
        if self.refusal is not None:
            raise self.refusal
        return self

    def registerErrorHandler(self, f, ctx) -> None:  # noqa: N802
        self.handlers.append(f)

    def lookupByName(self, name: str) -> FakeDomain:  # noqa: N802
        if name not in self.domains:
            raise FakeLibvirtError("Domain not found", 42)
        return self.domains[name]

    def listAllDomains(self, flags: int = 0) -> list[FakeDomain]:  # noqa: N802
        return list(self.domains.values())

    def getURI(self) -> str:  # noqa: N802
        return "qemu:///system"

    def close(self) -> int:
        self.closed += 1
        return 0

    def qemuMonitorCommand(self, domain: FakeDomain, cmd: str, flags: int) -> str:  # noqa: N802
        self.flags.append(flags)
        if domain.qemu is None:
            raise FakeLibvirtError("Requested operation is not valid: domain is not running", 55)
        if self.reply is not None:
            return self.reply
        request = json.loads(cmd)
        try:
            value = domain.qemu.execute(request["execute"], request.get("arguments", {}))
        except CommandError as error:
            problem = {"class": error.kind, "desc": str(error)}
            return json.dumps({"id": "libvirt-412", "error": problem})
        return json.dumps({"return": value, "id": "libvirt-412"})


def channel(
    fake: FakeLibvirt, name: str = "vm", uri: str | None = None, *, reply_s: float = 30.0
) -> LibvirtChannel:
    return LibvirtChannel(LibvirtTarget(name, uri), Libvirt(fake, fake), reply_s=reply_s)


@pytest.fixture
def fake():
    return FakeLibvirt(FakeDomain("vm", FakeQemu(FULL)), FakeDomain("off", None))


def test_a_domain_gives_a_snapshot_like_any_machine(fake):
    with Attachment(Monitor(channel(fake))) as machine:
        snapshot = machine.snapshot()
    assert snapshot.source == "libvirt:vm"
    assert snapshot.version == "7.2.22"
    assert [block.name for block in snapshot.ram_blocks] == ["pc.ram"]
    assert fake.opened == [None]
    assert fake.closed == 1
    assert set(fake.flags) == {0}, "0 is QMP; 1 would be the human monitor"
    assert len(fake.handlers) == 1, "without one libvirt prints errors on stderr"


def test_the_connections_uri_is_the_users(fake):
    channel(fake, uri="qemu:///session").close()
    assert fake.opened == ["qemu:///session"]


def test_an_unknown_domain_lists_those_that_are_known(fake):
    with pytest.raises(ConfigError, match=r"no domain 'wm' on qemu:///system.*: off, vm$"):
        channel(fake, "wm")
    assert fake.closed == 1


def test_many_domains_are_not_all_listed():
    fake = FakeLibvirt(*(FakeDomain(f"vm{n:02}", None) for n in range(20)))
    with pytest.raises(ConfigError, match=r"vm00, .*vm07 and 12 more$"):
        channel(fake, "wm")


def test_a_domain_that_is_off_is_a_state_error(fake):
    with pytest.raises(StateError, match=r"libvirt:off: .*not running"):
        channel(fake, "off").execute("query-version", {})


def test_no_libvirtd(fake):
    fake.refusal = FakeLibvirtError("Failed to connect socket to '/run/libvirt-sock'", 38)
    with pytest.raises(HostError, match=r"its default hypervisor: Failed to connect"):
        channel(fake)


def test_what_ssh_said_is_one_line(fake):
    fake.refusal = FakeLibvirtError("Cannot recv data: @@@@\r\n@ CHANGED! @\r\nfailed.: reset", 38)
    with pytest.raises(HostError, match=r": Cannot recv data: @@@@ @ CHANGED! @ failed\.: reset"):
        channel(fake)


def test_what_ssh_said_at_length_and_libvirt_did_not_keep_is_to_be_looked_up(fake):
    fake.refusal = FakeLibvirtError(f"Cannot recv data: {os.strerror(errno.EOVERFLOW)}", 38)
    said = r"Value too large .* \(ssh complains .*: try ssh by hand\)"
    with pytest.raises(HostError, match=said):
        channel(fake)


@pytest.mark.parametrize(
    ("code", "kind"), [(3, UnsupportedError), (29, HostError), (68, HostError), (55, StateError)]
)
def test_refusals_by_number(fake, monkeypatch, code, kind):
    def refuse(domain, cmd, flags):
        raise FakeLibvirtError("no", code)

    session = channel(fake)
    monkeypatch.setattr(fake, "qemuMonitorCommand", refuse)
    with pytest.raises(kind) as caught:
        session.execute("query-version", {})
    assert isinstance(caught.value, GuestmapError)
    assert "libvirt:vm" in str(caught.value)


def test_a_libvirt_that_is_silent_is_given_up(fake, monkeypatch):
    goes_on = threading.Event()
    session = channel(fake, reply_s=0.1)
    monkeypatch.setattr(fake, "qemuMonitorCommand", lambda *_: goes_on.wait(60))
    monkeypatch.setattr(fake, "close", lambda: goes_on.wait(60))
    monkeypatch.setattr("guestmap.qmp.client.libvirt_channel._CLOSE_S", 0.1)
    try:
        with pytest.raises(PeerError, match=r"libvirt:vm: no answer to query-kvm within 0\.1 s"):
            session.execute("query-kvm", {})
        with pytest.raises(GoneError, match="the session has ended"):  # without waiting again
            session.execute("query-kvm", {})
        with pytest.raises(GoneError, match="the session has ended"):
            session.agent("guest-ping")
        session.close()
    finally:
        goes_on.set()


@pytest.mark.parametrize("call", ["open", "lookupByName"])
def test_a_libvirt_that_does_not_even_connect_is_given_up(fake, monkeypatch, call):
    goes_on = threading.Event()
    monkeypatch.setattr(fake, call, lambda *_: goes_on.wait(60))
    try:
        with pytest.raises(PeerError, match=r"libvirt:vm: libvirt does not .* within 0\.1 s"):
            channel(fake, reply_s=0.1)
    finally:
        goes_on.set()


def test_an_error_reply_keeps_its_class(fake):
    with pytest.raises(CommandError, match="query-kvm") as caught:
        channel(fake).execute("query-kvm", {})
    assert caught.value.kind == "CommandNotFound"


@pytest.mark.parametrize(
    "reply", ["", "no", "[]", "7", "{}", '{"error": 5}', "[" * 100_000, '{"return"']
)
def test_an_answer_that_is_none_is_the_peers_fault(fake, reply):
    fake.reply = reply
    with pytest.raises(PeerError):
        channel(fake).execute("query-version", {})


def test_without_libvirt_python_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "libvirt", None)
    with pytest.raises(UnsupportedError, match=r"python3-libvirt.*guestmap\[libvirt\]"):
        attach("libvirt:vm")


def test_the_real_libvirt_python_has_these_names_and_numbers(capfd):
    """libvirt's test driver needs no daemon; it has domains, but no QEMU monitor."""
    pytest.importorskip("libvirt", reason="needs libvirt-python")
    with pytest.raises(ConfigError, match=r"no domain 'vm' on test:///default; it knows: test"):
        attach("libvirt+test:///default:vm")
    with attach("libvirt+test:///default:test") as machine, pytest.raises(UnsupportedError):
        machine.snapshot()
    with pytest.raises(HostError, match="does not connect to nosuch:///"):
        attach("libvirt+nosuch:///:vm")
    assert capfd.readouterr().err == ""


def test_what_is_installed_is_used(fake, monkeypatch):
    monkeypatch.setitem(sys.modules, "libvirt", fake)
    monkeypatch.setitem(sys.modules, "libvirt_qemu", fake)
    with attach("libvirt:vm") as machine:
        assert machine.version == "7.2.22"
