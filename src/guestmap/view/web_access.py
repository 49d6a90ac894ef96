"""Who may look at what is served: requests that were meant for this server, and know its token.

A page elsewhere can have its own host name point at 127.0.0.1 (DNS rebinding) and ask from within
somebody's browser; then ``Host`` and ``Origin`` are that page's. So both must name the place where
the server listens. On other than loopback, others can reach it too: there the link has a token.
"""

from __future__ import annotations

from dataclasses import dataclass
from hmac import compare_digest
from ipaddress import ip_address
from secrets import token_urlsafe
from socket import gethostname
from urllib.parse import urlsplit

_HTTP_PORT = 80
_LOCALHOST = "localhost"


@dataclass(frozen=True)
class WebAccess:
    """The place where a server listens, and what a request must show to be let in.

    Attributes:
        host: an address or a name, as it was asked for.
        port: the actual one.
        token: what the link has, and the cookie after it; "": nobody needs one.
    """

    host: str
    port: int
    token: str

    @classmethod
    def at(cls, host: str, port: int) -> WebAccess:
        """Return what a server there asks for, with a new token unless it is loopback."""
        return cls(host, port, "" if is_loopback(host) else token_urlsafe(24))

    @property
    def url(self) -> str:
        """The link to open."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        query = f"?token={self.token}" if self.token else ""
        return f"http://{host}:{self.port}/{query}"

    @property
    def cookie(self) -> str:
        """The name of the cookie that has the token: cookies of one host know no ports."""
        return f"guestmap-{self.port}"

    def refusal(self, host: str, origin: str | None, token: str) -> str:
        """Return why a request is refused, for people; "" where it is not.

        Args:
            host: its ``Host`` header.
            origin: its ``Origin`` header, which browsers send with WebSockets.
            token: from its link, else from its cookie.
        """
        if not self._is_here(f"//{host}"):
            return "this server is not known by that name"
        if origin is not None and not self._is_here(origin.removeprefix("http:")):
            return "another page must not look here"
        if self.token and not compare_digest(token.encode(), self.token.encode()):
            return "open the link that guestmap serve printed: it has a token"
        return ""

    def _is_here(self, place: str) -> bool:
        """Tell whether ``//NAME:PORT`` is where the server listens."""
        try:
            parts = urlsplit(place)
            name, port = parts.hostname, parts.port
        except ValueError:
            return False
        is_bare = not (parts.scheme or parts.path or parts.query or "@" in parts.netloc)
        if not name or not is_bare or (port or _HTTP_PORT) != self.port:
            return False
        return name in self._names or (is_everywhere(self.host) and _is_address(name))

    @property
    def _names(self) -> set[str]:
        if is_loopback(self.host):
            return {self.host.lower(), _LOCALHOST, "127.0.0.1", "::1"}
        own = gethostname().lower()
        names = {self.host.lower(), own, own.split(".")[0]}
        return names | {_LOCALHOST} if is_everywhere(self.host) else names


def is_loopback(host: str) -> bool:
    """Tell whether only this machine reaches an address or a name."""
    return host.lower() == _LOCALHOST or (_is_address(host) and ip_address(host).is_loopback)


def is_everywhere(host: str) -> bool:
    """Tell whether this is every address of the machine.

    Then a request may name any address, since only names can be made to point elsewhere.
    """
    return not host or (_is_address(host) and ip_address(host).is_unspecified)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
