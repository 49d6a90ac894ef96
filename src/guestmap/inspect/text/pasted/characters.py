"""What terminals, browsers and editors do to characters; the number of lines stays as it was."""

from __future__ import annotations

import html
import re

ESCAPE = (
    r"(?:\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-Za-z]"
    r"|\x1b[=>78cM])"
)
"""What tells a terminal something (ECMA-48; xterm's control sequences)."""

_ESCAPES = re.compile(ESCAPE)
_END = re.compile(f"{ESCAPE}+[ \t]*$")
_COLOURED = re.compile(r"\x1b\[[0-9;]*m(?:\x1b\[K)?([^\x1b]*)\x1b\[0?m(?:\x1b\[K)?")
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\u200b-\u200f\u2060\ufeff]")
_TYPED = str.maketrans(
    {**dict.fromkeys("\xa0\u2002\u2003\u2007\u2009\u202f\u3000", " "),
     **dict.fromkeys("\u201c\u201d\u201e", '"')}
)  # fmt: skip
_ENTITIES = re.compile(
    r"^&(?:(?:amp;)*gt;|#)|&(?:amp;)*(?:nbsp;|quot;|#x?[0-9a-f]+;)", re.MULTILINE
)
_DEEPEST = 4  # a page that shows a page's source
_TAG = "(?:pre|code|p|div|span|tt|blockquote|samp|details|summary)"
_PAGE = re.compile(rf"^\s*<{_TAG}\b|<br ?/?>$", re.MULTILINE | re.IGNORECASE)
_TAGS = re.compile(rf"</?(?:{_TAG}|br)\b[^<>]*>", re.IGNORECASE)
_BRACKETS = "(?:code|pre|quote|spoiler)"
_FENCES = re.compile(
    rf"^[ ]*(?:\[{_BRACKETS}(?:=[^\]\n]*)?\]|```(?=address-space|memory-region|FlatView|[ ]))"
    rf"|(?:\[/{_BRACKETS}\]|(?<=[^\s`])```|(?<=[^\s~])~~~|\{{(?:code|noformat)\}})+[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)  # fmt: skip
"""What forums put around a listing, on its first and its last line: several, where it went on."""

_NARROW = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{8})-([0-9a-f]{8})(?= \(prio -?\d+(?:, [R-][W-])?\): |$)", re.MULTILINE
)
_NARROW_REGION = re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-[0-9a-f]{8} \(prio ")

_NUMBER_AND_TAB = re.compile(r"^( *\d+)\t", re.MULTILINE)


def without_escapes(text: str) -> str:
    """Return text without escape sequences."""
    return _ESCAPES.sub("", text)


def uncontrolled(text: str) -> str:
    """Return text without what a terminal was told, but for what is inside names."""
    return "\n".join(map(_uncontrolled, text.split("\n")))


def _uncontrolled(line: str) -> str:
    """Return a line without what a terminal was told; what is inside a name is the name's."""
    head, core, name = line.partition("): ") if "(prio " in line else (line, "", "")
    head = without_escapes(head)
    if "\x1b" in name:
        name = _undecorated(name)
        if "\x1b" in name:
            return _CONTROLS.sub("", head) + core + name
    return _CONTROLS.sub("", head + core + name)


def _undecorated(name: str) -> str:
    """Return a name without colours that are taken back, and without what ends the line."""
    return _END.sub("", _COLOURED.sub(r"\1", name))


def tells_a_terminal(text: str) -> bool:
    """Tell whether there are escape sequences that are no part of a name."""
    for line in text.split("\n"):
        if "\x1b" in line:
            head, _, name = line.partition("): ")
            if "(prio " not in head or "\x1b" in head or _undecorated(name) != name:
                return True
    return False


def plain(text: str) -> str:
    """Return text without escape sequences, odd blanks, entities, tags and control characters.

    Entities and tags go only where the text shows that it comes from a page: a region may be named
    with such characters.
    """
    text = text.replace("\r\n", "\n").replace("\r", "")
    text = uncontrolled(text).translate(_TYPED)
    for _ in range(_DEEPEST):
        if not _ENTITIES.search(text):
            break
        text = html.unescape(text).translate(_TYPED)
    if _PAGE.search(text):
        text = _TAGS.sub("", text)
    text = _FENCES.sub("", text)
    if "\x1b" in text:
        text = uncontrolled(text)  # a fence was behind them
    if all(_NUMBER_AND_TAB.match(line) for line in text.split("\n") if "(prio " in line):
        text = _NUMBER_AND_TAB.sub(r"\1 ", text)  # else its width would move what follows
    return "\n".join(line.rstrip() for line in text.split("\n"))


def widened(text: str) -> str:
    """Return text with 16 digits in each address.

    Up to QEMU 1.2 a machine with addresses of 32 bits has 8.
    """
    if _NARROW_REGION.search(text) is None:
        return text
    return _NARROW.sub(r"00000000\1-00000000\2", text)
