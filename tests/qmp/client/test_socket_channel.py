"""QMP over a socket, against peers that behave, misbehave, or say nothing."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.qmp.client import CommandError
from tests.qmp.client.peer import GREETING, LONG_S, NEVER_S, ScriptedPeer, Wire


def test_a_command_gets_its_answer_and_events_in_between_are_kept():
    def script(wire: Wire) -> None:
        wire.greet()
        request = wire.request()
        assert request["execute"] == "query-name"
        wire.send(b'{"event": "RESET", "data": {"guest": true}, "timestamp": {}}\r\n')
        wire.send(b'{"event": "STOP", "timestamp": {}}\r\n')
        wire.send(json.dumps({"return": {"name": "vm"}, "id": request["id"]}).encode() + b"\n")
        wire.wait_for_the_end()

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        assert channel.execute("query-name", {}) == {"name": "vm"}
        events = [(event.name, dict(event.data)) for event in channel.events()]
        assert events == [("RESET", {"guest": True}), ("STOP", {})]
        assert channel.events() == []
        channel.close()
        channel.close()


def test_arguments_go_over_the_wire_as_they_are():
    seen = {}

    def script(wire: Wire) -> None:
        wire.greet()
        seen.update(wire.request())
        wire.send(json.dumps({"return": "text", "id": seen["id"]}).encode() + b"\n")

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        line = {"command-line": "info mtree -f"}
        assert channel.execute("human-monitor-command", line) == "text"
        channel.close()
    assert seen["arguments"] == line


@pytest.mark.parametrize("greeted", [b"", GREETING[:40]], ids=["silent", "half a greeting"])
def test_a_monitor_that_does_not_greet_is_busy_and_the_error_says_what_to_do(greeted):
    def script(wire: Wire) -> None:
        wire.send(greeted)
        wire.wait_for_the_end()

    with ScriptedPeer(script) as peer, pytest.raises(PeerError) as caught:
        peer.channel(greeting_s=NEVER_S)
    for words in ("unix:/run/fake.sock", f"within {NEVER_S} s", "one client", "-qmp unix:",
                  "libvirt:NAME", "virsh qemu-monitor-command"):  # fmt: skip
        assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (b"QEMU 7.2.22 monitor - type 'help' for more information\r\n(qemu) ", "human monitor"),
        (b"RFB 003.008\n", "RFB 003.008"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "not a QMP socket"),
        (b"\xff\xfe\x00\x01\n", "not a QMP socket"),
        (b'{"return": {}}\r\n', "not a QMP socket"),
        (b'{"QMP": 7}\r\n', "not a QMP socket"),
        (b"[1, 2]\r\n", "not a QMP socket"),
        (b"[" * 100_000 + b"\n", "not a QMP socket"),
        (b"x" * (11 << 20), "not a QMP socket"),
        (b"", "without a greeting"),
        (GREETING[:40], "not a QMP socket"),
    ],
    ids=lambda value: value[:12].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_what_is_not_qmp_is_named_for_what_it_is(said, words):
    with ScriptedPeer(lambda wire: wire.send(said)) as peer, pytest.raises(PeerError) as caught:
        peer.channel()
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_a_greeting_without_a_handshake_is_not_called_busy():
    def script(wire: Wire) -> None:
        wire.send(GREETING)
        wire.wait_for_the_end()

    with ScriptedPeer(script) as peer, pytest.raises(PeerError, match="greeted, then said nothing"):
        peer.channel(greeting_s=NEVER_S)


def test_a_refused_handshake():
    def script(wire: Wire) -> None:
        wire.send(GREETING)
        wire.answer(error={"class": "CommandNotFound", "desc": "no"})

    with ScriptedPeer(script) as peer, pytest.raises(PeerError, match="refused qmp_capabilities"):
        peer.channel()


def test_an_error_reply_keeps_its_class_and_the_session_goes_on():
    def script(wire: Wire) -> None:
        wire.greet()
        wire.answer(error={"class": "CommandNotFound", "desc": "The command has not been found"})
        wire.answer(**{"return": 1})

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        with pytest.raises(CommandError, match=r"query-kvm: The command has not") as caught:
            channel.execute("query-kvm", {})
        assert caught.value.kind == "CommandNotFound"
        assert channel.execute("query-kvm", {}) == 1
        channel.close()


def test_an_error_of_megabytes_is_told_in_short():
    def script(wire: Wire) -> None:
        wire.greet()
        wire.answer(error={"class": "GenericError", "desc": "no: " + "x" * (1 << 20)})

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        with pytest.raises(
            CommandError, match=r"query-kvm: no: x+ \.\.\. \([0-9,]+ characters more"
        ):
            channel.execute("query-kvm", {})
        channel.close()


BROKEN = [
    (b"", "closed the connection"),
    (b'{"return": {"na', "in the middle of a message"),
    (b"what?\r\n", "sent what is not QMP: b'what?"),
    (b"[1]\r\n", "sent what is not QMP"),
    (b'"\xff"\r\n', "sent what is not QMP"),
    (b"[" * 100_000 + b"\n", "sent what is not QMP"),
    (b'{"error": {"class": "GenericError", "desc": "JSON parse error"}}\r\n', "not QMP"),
    (b"x" * (11 << 20), "longer than a QMP message may be"),
]


@pytest.mark.parametrize(("said", "words"), BROKEN)
def test_a_session_that_breaks_says_how_and_stays_broken(said, words):
    def script(wire: Wire) -> None:
        wire.greet()
        wire.request()
        wire.send(said)

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        with pytest.raises(PeerError, match=re.escape(words)) as caught:
            channel.execute("query-status", {})
        assert "query-status" in str(caught.value)
        assert "\n" not in str(caught.value)
        with pytest.raises(PeerError):
            channel.execute("query-status", {})
        channel.close()


@pytest.mark.parametrize(
    "reply",
    [{"error": 5}, {"error": {"class": 1, "desc": "x"}}, {"error": {}}, {"nothing": 1}],
    ids=str,
)
def test_a_malformed_reply_is_the_peers_fault(reply):
    def script(wire: Wire) -> None:
        wire.greet()
        wire.answer(**reply)
        wire.wait_for_the_end()

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        with pytest.raises(PeerError, match="query-status is not QMP"):
            channel.execute("query-status", {})
        channel.close()


def test_an_answer_that_does_not_come_ends_at_the_deadline():
    def script(wire: Wire) -> None:
        wire.greet()
        wire.request()
        wire.send(b'{"return": {}, "id": "of somebody else"}\r\n')
        wire.wait_for_the_end()

    with ScriptedPeer(script) as peer:
        channel = peer.channel(reply_s=NEVER_S)
        with pytest.raises(PeerError, match=r"no answer to query-status within 0\.05 s"):
            channel.execute("query-status", {})
        channel.close()


def test_a_map_of_megabytes_comes_through():
    text = "x" * (8 << 20)

    def script(wire: Wire) -> None:
        wire.greet()
        wire.answer(**{"return": text})

    with ScriptedPeer(script) as peer:
        channel = peer.channel()
        assert channel.execute("human-monitor-command", {}) == text
        channel.close()


@given(first=st.binary(max_size=80), then=st.binary(max_size=80), greets=st.booleans())
def test_whatever_a_peer_sends_ends_in_an_answer_or_a_peer_error(first, then, greets):
    def script(wire: Wire) -> None:
        if greets:
            wire.greet()
            wire.request()
        wire.send(first)
        wire.send(then)

    with ScriptedPeer(script) as peer:
        try:
            channel = peer.channel(greeting_s=LONG_S, reply_s=LONG_S)
        except PeerError:
            return
        with pytest.raises(PeerError):
            channel.execute("query-status", {})
        channel.close()
