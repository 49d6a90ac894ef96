"""A film in a web browser.

The server is bokeh's. Everything that a page needs comes from it; nothing is fetched elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.view.film_page import FilmPage
from guestmap.view.web_server import web_server

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.view.film import Film

LOOPBACK = "127.0.0.1"


class FilmServer:
    """Serves a film until Ctrl-C.

    Args:
        film: what to show; frames may still be added.
        host: address to listen on. Other than loopback means that whoever reaches it and has the
            link sees the maps.
        port: 0 takes a free one.

    Attributes:
        url: where to look, with a token in it unless only this machine can.

    Raises:
        OSError: the address cannot be listened on.
    """

    def __init__(self, film: Film, *, host: str = LOOPBACK, port: int = 0) -> None:
        self._server, access = web_server(
            host, port, lambda document: FilmPage(film).fill(document)
        )
        self.url = access.url

    def run(self) -> None:
        """Serve, in this thread, which must be the main one."""
        self._server.run_until_shutdown()


def serve(film: Film, *, host: str, port: int, ready: Callable[[str], bool]) -> None:
    """Serve a film until Ctrl-C; ``ready`` hears the address, and tells whether anybody else does.

    Raises:
        OSError: the address cannot be listened on.
    """
    server = FilmServer(film, host=host, port=port)
    if ready(server.url):
        server.run()
