"""What terminals, browsers and editors do to characters; the number of lines stays as it was."""

from __future__ import annotations

import html
import re

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Za-z]|\x1b[=>78cM]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\u200b-\u200f\u2060\ufeff]")
_BLANKS = str.maketrans(dict.fromkeys("\xa0\u2002\u2003\u2007\u2009\u202f\u3000", " "))
_ENTITIES = re.compile(r"^(?:&gt;|&#)|&nbsp;|&quot;|&#x?[0-9a-f]+;", re.MULTILINE)
_PAGE = re.compile(
    r"^\s*<(?:pre|code|p|div|span|tt|blockquote|samp)\b|<br ?/?>$", re.MULTILINE | re.IGNORECASE
)
_TAGS = re.compile(r"</?(?:pre|code|p|div|span|tt|br|blockquote|samp)\b[^<>]*>", re.IGNORECASE)


def plain(text: str) -> str:
    """Return text without escape sequences, odd blanks, entities, tags and control characters.

    Entities and tags go only where the text shows that it comes from a page: a region may be named
    with such characters.
    """
    text = text.replace("\r\n", "\n").replace("\r", "")
    text = _CONTROLS.sub("", _ESCAPES.sub("", text)).translate(_BLANKS)
    if _ENTITIES.search(text):
        text = html.unescape(text).translate(_BLANKS)
    if _PAGE.search(text):
        text = _TAGS.sub("", text)
    return "\n".join(line.expandtabs(8).rstrip() for line in text.split("\n"))
