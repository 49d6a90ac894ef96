"""What the server writes: of requests that it refuses, of pages that have gone."""

from __future__ import annotations

import asyncio
import base64
import logging

import pytest
from bokeh.protocol import Protocol
from bokeh.server.connection import ServerConnection
from bokeh.server.protocol_handler import ProtocolHandler

from guestmap.base import parse_size
from guestmap.view.web_server import web_server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def _refused(path: str) -> bytes:
    """Serve one request, which names another host, and return the answer."""
    server, access = web_server("127.0.0.1", 0, lambda _document: None)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", access.port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n".encode()
        )
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer
    finally:
        server.stop()


def test_a_refused_request_is_noted_without_the_token_of_its_link(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Whoever has imported Dask's library here before has no word of tornado's any more.
    monkeypatch.setattr(logging.getLogger("tornado"), "propagate", True)
    with caplog.at_level(logging.WARNING, "tornado.access"):
        answer = asyncio.run(_refused("/?token=a-secret"))
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert "403 GET / (127.0.0.1)" in caplog.text
    assert "a-secret" not in caplog.text


async def _opened(protocols: str, *messages: bytes) -> None:
    """Serve a WebSocket that asks for these protocols and sends these short texts."""
    server, access = web_server("127.0.0.1", 0, lambda _document: None)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", access.port)
        writer.write(
            f"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:{access.port}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key:"
            f" {'A' * 22}==\r\nSec-WebSocket-Protocol: {protocols}\r\n\r\n".encode()
        )
        for each in messages:
            writer.write(b"\x81\xfe" + len(each).to_bytes(2, "big") + bytes(4) + each)
        while got := await asyncio.wait_for(reader.read(4096), 20):
            if b"\x88" in got:  # the server says that it closes (RFC 6455)
                break
        writer.close()
    finally:
        server.stop()


_OLD_TOKEN = base64.urlsafe_b64encode(b'{"session_id": "a", "session_expiry": 1}').decode()
_TOKEN = base64.urlsafe_b64encode(b'{"session_id": "a", "session_expiry": 99999999999}').decode()


@pytest.mark.parametrize(
    ("protocols", "messages"),
    [
        ("bokeh", ()),
        ("bokeh, x", ()),
        ("x, bokeh", ()),
        (f"bokeh, {_OLD_TOKEN.strip('=')}", ()),
        (f"bokeh, {_TOKEN.strip('=')}", (b"[" * 60000,)),
        (f"bokeh, {_TOKEN.strip('=')}", (b"{" + b" " * 60000 + b'"a": "' + b"x" * 4000 + b'"}',)),
    ],
)
def test_a_stranger_on_the_websocket_is_one_short_line(
    protocols: str,
    messages: tuple[bytes, ...],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for each in ("tornado", "bokeh"):
        monkeypatch.setattr(logging.getLogger(each), "propagate", True)
    asyncio.run(_opened(protocols, *messages))
    told = [one for one in caplog.records if one.name.startswith(("tornado.app", "bokeh"))]
    assert told
    for record in told:
        assert not record.exc_info
        assert "\n" not in record.getMessage()
        assert len(record.getMessage()) <= 600


def test_a_fault_of_ours_keeps_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("bokeh.server.protocol_handler")
    web_server("127.0.0.1", 0, lambda _document: None)[0].stop()
    try:
        parse_size(None)  # type: ignore[arg-type]
    except Exception:
        log.exception("error handling message")
    assert caplog.records[-1].exc_info


class _Connection(ServerConnection):
    """Of a page: what it can do is not asked for here."""

    def __init__(self, session: object) -> None:
        self._protocol, self._session = Protocol(), session


@pytest.mark.parametrize(("session", "is_told"), [(None, False), (object(), True)])
def test_a_message_of_a_page_that_has_gone_is_no_error(
    session: object, is_told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def handled() -> None:
        server, _ = web_server("127.0.0.1", 0, lambda _document: None)
        try:
            message = Protocol().create("PULL-DOC-REQ")
            await ProtocolHandler().handle(message, _Connection(session))
        finally:
            server.stop()

    asyncio.run(handled())
    assert ("error handling message" in caplog.text) == is_told
