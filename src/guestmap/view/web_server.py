"""Bokeh's server behind a :class:`~guestmap.view.web_access.WebAccess`, its pages with a policy."""

from __future__ import annotations

import gc
import re
from logging import getLogger
from typing import TYPE_CHECKING, Any

from bokeh.application import Application
from bokeh.application.handlers.function import FunctionHandler
from bokeh.server.connection import ServerConnection
from bokeh.server.protocol_handler import log as messages_log
from bokeh.server.server import BaseServer
from bokeh.server.tornado import BokehTornado
from bokeh.server.util import bind_sockets
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop
from tornado.log import access_log
from tornado.web import OutputTransform, RequestHandler

from guestmap.view.policy import served_policy
from guestmap.view.web_access import WebAccess

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import LogRecord
    from types import TracebackType

    from bokeh.document import Document
    from tornado.httputil import HTTPHeaders, HTTPServerRequest

_PLACES = re.compile(r"/|/ws|/favicon\.ico|/static/[\w./-]+", re.ASCII)
"""What there is. Bokeh has more for pages that show a plot of another server: not of ours. Nothing
of its files' names need be quoted."""

_WHAT_PAGES_SEND = (
    "tornado.application",
    "bokeh.protocol",
    "bokeh.server.views.ws",
    "bokeh.server.protocol_handler",
)
"""The logs of what a WebSocket brings."""

_MOST_WORDS = 300

_MOST_UNHELD = 64
"""Pages that no browser holds by its WebSocket, or none any more. A server needs some 16 s of a
CPU to make so many, and a page waits for its browser as long (bokeh's 15 s). Python gives little of
what they had back to the host: what is free lies between what is in use."""

_LOOK_MS = 4_000
"""Between two looks at which pages are unheld."""


def web_server(
    host: str, port: int, fill: Callable[[Document], None]
) -> tuple[BaseServer, WebAccess]:
    """Return a server that listens, and its :class:`WebAccess`.

    Args:
        host: address to listen on.
        port: 0 takes a free one.
        fill: puts into a document what a new window shows.

    Raises:
        OSError: the address cannot be listened on.
    """
    try:
        sockets, actual = bind_sockets(host, port)
    except UnicodeError as error:  # of a label that is empty, or too long (RFC 1035, 2.3.4)
        raise OSError("no host can have that name") from error
    access = WebAccess.at(host, actual)
    application = _Guarded(Application(FunctionHandler(fill)), access)
    messages_log.addFilter(_is_of_a_page)
    for each in _WHAT_PAGES_SEND:
        getLogger(each).addFilter(_told_in_short)
    http = HTTPServer(application)
    http.add_sockets(sockets)
    return BaseServer(IOLoop.current(), application, http), access


def _is_of_a_page(record: LogRecord) -> bool:
    """Leave out the traceback of a message that comes to its turn when its page has gone.

    A browser that is closed, or that reloads, may just have sent one; bokeh (3.9) then asks the
    connection for the session that it has no more.
    """
    trace = record.exc_info[2] if record.exc_info else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    asked = getattr(ServerConnection.session, "fget", None)
    return trace is None or trace.tb_frame.f_code is not getattr(asked, "__code__", None)


def _told_in_short(record: LogRecord) -> bool:
    """Cut what is said of a message that no page of ours sends, which may be long as well.

    Tornado and bokeh quote it whole, with a traceback of themselves. One through ours stays.
    """
    error, trace = (record.exc_info or (None, None, None))[1:]
    if not _is_through_ours(trace):
        words = record.getMessage().split("\n", 1)[0][:_MOST_WORDS]
        more = f" ({error!r})"[:_MOST_WORDS] if error is not None else ""
        record.msg, record.args, record.exc_info = words + more, (), None
    return True


def _is_through_ours(trace: TracebackType | None) -> bool:
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__", "").startswith("guestmap."):
            return True
        trace = trace.tb_next
    return False


class _Guarded(BokehTornado):
    """Lets in who may look; WebSockets come this way too."""

    def __init__(self, application: Application, access: WebAccess) -> None:
        # bokeh compares Origin with a list of names; WebAccess does, and with Host beside it
        super().__init__(
            application,
            extra_websocket_origins=["*"],
            check_unused_sessions_milliseconds=_LOOK_MS,
        )
        self.access = access
        self.add_transform(_policed(access))

    async def _cleanup_sessions(self) -> None:
        """Let go of pages that nobody holds, and look for garbage once for all of them.

        bokeh (3.9) does so after each, in all that there is. What is frozen is not looked at; else
        a flood of pages would come faster than they go, each of them longer for the others.
        """
        if not self._give_up_some():
            return
        before = self._pages()
        gc.freeze()
        try:
            await super()._cleanup_sessions()
        finally:
            gc.unfreeze()
        if self._pages() != before:
            gc.collect()

    def _pages(self) -> int:
        return sum(len(self.get_sessions(path)) for path in self.app_paths)

    def _give_up_some(self) -> bool:
        """Have those go that are unheld longest, if too many are; tell whether any page is."""
        pages = [page for path in self.app_paths for page in self.get_sessions(path)]
        unheld = [page for page in pages if page.connection_count == 0]
        unheld.sort(key=lambda page: page.milliseconds_since_last_unsubscribe)
        for page in unheld[_MOST_UNHELD:]:
            page.request_expiration()
        return bool(unheld)

    def log_request(self, handler: RequestHandler) -> None:
        """Note what was not answered, without its query, which may hold a token."""
        request, status = handler.request, handler.get_status()
        if status >= 400:
            who = request.remote_ip
            access_log.warning("%d %s %s (%s)", status, request.method, request.path, who)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        """Return who answers a request: bokeh's handlers, or one that says why not."""
        origin = request.headers.get("Origin")
        reason = self.access.refusal(request.host, origin, _token(request, self.access))
        if reason:
            return self.get_handler_delegate(request, _Refused, {"status": 403, "reason": reason})
        if not _PLACES.fullmatch(request.path):
            absent = {"status": 404, "reason": "there is nothing here"}
            return self.get_handler_delegate(request, _Refused, absent)
        return super().find_handler(request, **kwargs)


def _token(request: HTTPServerRequest, access: WebAccess) -> str:
    """Return the token that a request shows: that of its link, else that of its cookie."""
    given = request.arguments.get("token")
    if given:
        return given[-1].decode("utf-8", "replace")
    cookie = request.cookies.get(access.cookie)
    return cookie.value if cookie is not None else ""


class _Refused(RequestHandler):
    """Says why a request is refused."""

    def initialize(self, status: int, reason: str) -> None:
        self._status, self._words = status, reason

    def prepare(self) -> None:
        self.set_status(self._status)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(f"{self._words}\n")


def _policed(access: WebAccess) -> type[OutputTransform]:
    """Return what gives each answer its headers; tornado makes one for each request."""

    class Policed(OutputTransform):
        def __init__(self, request: HTTPServerRequest) -> None:
            given = request.arguments.get("token")
            self._is_entering = bool(given and access.token)

        def transform_first_chunk(
            self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
        ) -> tuple[int, HTTPHeaders, bytes]:
            del finishing
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "no-referrer"
            if headers.get("Content-Type", "").startswith("text/html"):
                headers["Content-Security-Policy"] = served_policy(chunk.decode("utf-8", "replace"))
                headers["Cache-Control"] = "no-store"
                if self._is_entering and status_code == 200:
                    headers["Set-Cookie"] = (
                        f"{access.cookie}={access.token}; Path=/; HttpOnly; SameSite=Strict"
                    )
            return status_code, headers, chunk

    return Policed
