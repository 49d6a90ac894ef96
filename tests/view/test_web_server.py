"""What the server writes: of requests that it refuses, of pages that have gone."""

from __future__ import annotations

import asyncio
import logging

import pytest
from bokeh.protocol import Protocol
from bokeh.server.connection import ServerConnection
from bokeh.server.protocol_handler import ProtocolHandler

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
