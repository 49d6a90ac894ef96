"""QMP as libvirt speaks it: bytes out and messages in, whatever pieces they come in."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.domain.process.session import CommandReply, Greeting, LibvirtSession
from guestmap.qmp.client import MonitorEvent

LINES = (
    b'{"QMP": {"version": {"qemu": {"major": 7}}, "capabilities": ["oob"]}}\r\n'
    b'{"return": {}, "id": "libvirt-1"}\r\n'
    b'{"timestamp": {"seconds": 1, "microseconds": 2}, "event": "RESUME"}\r\n'
    b'{"id": "libvirt-2", "error": {"class": "GenericError", "desc": "no"}}\r\n'
)


def test_commands_have_libvirts_form_and_count_from_one():
    session = LibvirtSession()
    assert session.request("qmp_capabilities")[1] == (
        b'{"execute":"qmp_capabilities","id":"libvirt-1"}\r\n'
    )
    assert session.request("device_del", {"id": "d\u00e9"}) == (
        "libvirt-2",
        b'{"execute":"device_del","arguments":{"id":"d\xc3\xa9"},"id":"libvirt-2"}\r\n',
    )


@given(st.lists(st.integers(1, 40), max_size=12))
def test_messages_come_whole_whatever_pieces_the_bytes_come_in(pieces):
    session, found, rest = LibvirtSession(), [], LINES
    for size in [*pieces, len(LINES)]:
        found += session.feed(rest[:size])
        rest = rest[size:]
    assert found == [
        Greeting({"qemu": {"major": 7}}),
        CommandReply("libvirt-1", {}),
        MonitorEvent("RESUME", {}),
        CommandReply("libvirt-2", error=("GenericError", "no")),
    ]


@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 400\n", b"[]\n", b"{}\n", b"\xff\n", b"[" * 9999 + b"\n"]
)
def test_what_is_no_qmp_is_the_peers_fault(line):
    with pytest.raises(PeerError, match="not QMP"):
        LibvirtSession().feed(line)


@given(st.recursive(st.none() | st.integers() | st.text(), lambda inner: st.lists(inner)
                    | st.dictionaries(st.sampled_from(["QMP", "return", "event", "error", "id"]),
                                      inner)))  # fmt: skip
def test_any_json_is_a_message_or_the_peers_fault(value):
    with contextlib.suppress(PeerError):
        LibvirtSession().feed(json.dumps(value).encode() + b"\n")
