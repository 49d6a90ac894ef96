"""What the server writes: of requests that it refuses, of pages that have gone."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import weakref

import pytest
from bokeh.models import Div
from bokeh.protocol import Protocol
from bokeh.server.connection import ServerConnection
from bokeh.server.protocol_handler import ProtocolHandler

from guestmap.base import parse_size
from guestmap.view.web_server import web_server

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def _get(port: int) -> None:
    """Look at a page as what opens no WebSocket does."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    host = f"Host: 127.0.0.1:{port}".encode()
    writer.write(b"GET / HTTP/1.1\r\n" + host + b"\r\nConnection: close\r\n\r\n")
    assert b"bokeh" in await asyncio.wait_for(reader.read(), 20)
    writer.close()


async def _looked_at(pages: int) -> list[int]:
    """Open pages, have all of them go, and return what each search for garbage looked through."""
    server, access = web_server("127.0.0.1", 0, lambda document: document.add_root(Div()))
    looked: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            looked.append(len(gc.get_objects()))

    try:
        for _ in range(pages):
            await _get(access.port)
        assert len(server.get_sessions()) == pages
        documents = [weakref.ref(each.document) for each in server.get_sessions()]
        for each in server.get_sessions():
            each.request_expiration()
        each = None
        gc.collect()
        gc.callbacks.append(note)
        await server._tornado._cleanup_sessions()
        gc.callbacks.remove(note)
        assert not server.get_sessions()
        assert not any(each() for each in documents)
        return looked
    finally:
        server.stop()


def test_pages_that_go_are_looked_for_once_in_all_that_there_is() -> None:
    looked = asyncio.run(_looked_at(4))
    assert sum(each > max(looked) / 2 for each in looked) == 1


def test_nothing_is_looked_for_where_no_page_went() -> None:
    assert asyncio.run(_looked_at(0)) == []


async def _kept(pages: int) -> list[int]:
    """Open pages that nobody holds, have them looked for, and return which of them are there."""
    server, access = web_server("127.0.0.1", 0, lambda document: document.add_root(Div()))
    try:
        opened = []
        for _ in range(pages):
            await _get(access.port)
            opened += [each.id for each in server.get_sessions() if each.id not in opened]
        await server._tornado._cleanup_sessions()
        return [opened.index(each.id) for each in server.get_sessions()]
    finally:
        server.stop()


def test_of_a_flood_of_pages_that_nobody_holds_the_oldest_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("guestmap.view.web_server._MOST_UNHELD", 3)
    assert asyncio.run(_kept(3)) == [0, 1, 2]
    assert asyncio.run(_kept(5)) == [2, 3, 4]


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
