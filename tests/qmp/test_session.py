"""One connection: negotiation, ids, out-of-band execution, events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.qmp import ANY, Command, Limits, Request, Session
from tests.qmp.oracle import COMMANDS

VERSION: dict[str, Any] = {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""}


def opened(*enable: str, limits: Limits | None = None) -> Session:
    session = Session(
        {**COMMANDS, "raw": Command("raw", None, ANY, gen=False)}, VERSION, limits=limits
    )
    arguments = {"enable": [*enable]} if enable else {}
    (reply,) = session.receive(
        json.dumps({"execute": "qmp_capabilities", "arguments": arguments}).encode()
    )
    assert reply == b'{"return": {}}\r\n'
    return session


def desc(line: Request | bytes) -> str:
    assert isinstance(line, bytes)
    text: str = json.loads(line)["error"]["desc"]
    return text


def test_greeting() -> None:
    assert Session({}, VERSION).greeting() == (
        b'{"QMP": {"version": {"qemu": {"micro": 22, "minor": 2, "major": 7}, "package": ""},'
        b' "capabilities": ["oob"]}}\r\n'
    )


def test_a_capability_that_was_not_offered() -> None:
    session = Session(COMMANDS, VERSION, capabilities=())

    (line,) = session.receive(b'{"execute":"qmp_capabilities","arguments":{"enable":["oob"]}}')

    assert desc(line) == "Capability oob not available"
    assert session.negotiating


def test_a_request_and_its_replies() -> None:
    session = opened()

    (request,) = session.receive(
        b'{"execute": "qom-get", "arguments": {"path": "/", "property": "type"}, "id": [1]}'
    )

    assert isinstance(request, Request)
    assert request.command is COMMANDS["qom-get"]
    assert request.arguments == {"path": "/", "property": "type"}
    assert not request.oob
    assert session.reply(request, "container") == b'{"return": "container", "id": [1]}\r\n'
    assert session.error(request, "DeviceNotFound", "Device 'x' not found") == (
        b'{"id": [1], "error": {"class": "DeviceNotFound", "desc": "Device \'x\' not found"}}\r\n'
    )


def test_without_an_id_there_is_none_in_the_reply() -> None:
    session = opened()
    request, null = session.receive(
        b'{"execute": "query-status"}{"execute": "query-status", "id": null}'
    )

    assert isinstance(request, Request)
    assert isinstance(null, Request)
    assert session.reply(request, {}) == b'{"return": {}}\r\n'
    assert session.reply(null, {}) == b'{"return": {}, "id": null}\r\n'


def test_out_of_band_is_for_those_who_enabled_it() -> None:
    data = b'{"exec-oob": "migrate-pause"}'

    (refused,) = opened().receive(data)
    (request,) = opened("oob").receive(data)

    assert desc(refused) == "QMP input member 'exec-oob' is unexpected"
    assert isinstance(request, Request)
    assert request.oob


def test_a_command_that_checks_its_own_arguments_gets_all_of_them() -> None:
    (request,) = opened().receive(b'{"execute": "raw", "arguments": {"a": {"b": 1}}}')

    assert isinstance(request, Request)
    assert request.arguments == {"a": {"b": 1}}


def test_items_come_in_the_order_of_the_bytes() -> None:
    items = opened().receive(b'{"execute": "query-status"} ] {"execute": "query-status"} {}')

    assert [isinstance(item, Request) for item in items] == [True, False, True, False]


def test_events_carry_the_time_in_microseconds() -> None:
    session = opened()

    assert session.event("STOP", None, 1_700_000_000_123_456_789) == (
        b'{"timestamp": {"seconds": 1700000000, "microseconds": 123456}, "event": "STOP"}\r\n'
    )
    assert session.event("RESET", {"guest": True}, 5_000) == (
        b'{"timestamp": {"seconds": 0, "microseconds": 5}, "event": "RESET",'
        b' "data": {"guest": true}}\r\n'
    )


@settings(derandomize=True)
@given(data=st.binary(max_size=200), negotiated=st.booleans())
def test_no_bytes_raise_and_every_reply_is_a_line_of_json(data: bytes, negotiated: bool) -> None:
    session = opened("oob") if negotiated else Session(COMMANDS, VERSION)

    for item in session.receive(data):
        assert isinstance(item, bytes)
        assert item.endswith(b"\r\n")
        assert set(json.loads(item)["error"]) == {"class", "desc"}


@pytest.mark.parametrize("start", [b"", b'{"execute": "x', b"[[[[", b"'\\", b"-", b"tr"])
def test_a_reset_byte_frees_a_connection_from_any_half_message(start: bytes) -> None:
    session = opened()
    session.receive(start)

    *_, request = session.receive(b'\xff\n{"execute": "query-status"}')

    assert isinstance(request, Request)
