"""What a page may do: a Content-Security-Policy that runs the scripts it came with, and no other.

Whatever a name in a map says, nothing in it is run, fetched or sent. Two holes remain, both for
BokehJS: it makes functions of the scripts of ours that it is handed (``'unsafe-eval'``), and it
writes styles into the page. See W3C "Content Security Policy Level 3".
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256
from html.parser import HTMLParser

_ALWAYS = (
    "default-src 'none'",
    "img-src 'self' data: blob:",
    "base-uri 'none'",
    "form-action 'none'",
)


def page_policy(scripts: Iterable[str]) -> str:
    """Return the policy of a page that stands alone and has these scripts in it."""
    return _policy("", scripts)


def served_policy(page: str) -> str:
    """Return the policy of a page that a server of ours sends, with what else comes from there."""
    found = _Scripts()
    found.feed(page)
    others = ("connect-src 'self'", "frame-ancestors 'none'")
    return "; ".join((_policy("'self' ", found.scripts), *others))


def _policy(from_here: str, scripts: Iterable[str]) -> str:
    hashes = " ".join(f"'sha256-{_hash(each)}'" for each in scripts)
    return "; ".join(
        (
            *_ALWAYS,
            f"script-src {from_here}{hashes} 'unsafe-eval'",
            f"style-src {from_here}'unsafe-inline'",
        )
    )


def _hash(script: str) -> str:
    return b64encode(sha256(script.encode()).digest()).decode()


class _Scripts(HTMLParser):
    """Finds the scripts in a page that are run: not those that are data, or come from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.scripts: list[str] = []
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        runs = told.get("type") in (None, "", "text/javascript")
        self._inside = tag == "script" and runs and "src" not in told
        if self._inside:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        del tag
        self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.scripts[-1] += data
