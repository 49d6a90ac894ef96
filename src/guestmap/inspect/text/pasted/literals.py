r"""Listings inside string literals: a monitor's reply as it came, a test's source, a log.

``{"return": "address-space: memory\r\n ..."}``, ``'FlatView #0\n AS ...'``, and a literal for each
line, as C and Python join them.
"""

from __future__ import annotations

import quopri
import re
from typing import NamedTuple

from guestmap.inspect.text.mtree.lines import fail
from guestmap.inspect.text.pasted.forms import Kind, kind_of

_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'')
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))")
_MEANING = {"n": "\n", "r": "", "t": "\t", "b": "", "f": ""}
_LISTED = re.compile(
    r"[0-9a-f]{16}-[0-9a-f]{16} \(prio |FlatView #|address-space: |memory-region: "
)
_OF_A_LISTING = re.compile(
    rf"{_LISTED.pattern}| AS \\?\"| Root memory region: |No rendered FlatView"
)

_ALONE = re.compile(rf"\s*(?:[\w.]+ ?\()?[\[(]?\s*[bfru]?(?:{_LITERAL.pattern})[\s,;+)\]\\]*")
_UNCLOSED = re.compile(r"\s*[\"']([^\"']*)")
_BETWEEN = re.compile(
    r"(?:[\s,;:+(){}\[\]\\\d.-]|\b(?:true|false|null|None|True|False)\b|\b[bfru]\b|\(qemu\))*"
)
_BRACKET = re.compile(r"\s*(?:\w+ ?= ?)?[\[\](){},;]+\s*")
_QUOTED = re.compile(r"^>+ ?")
_DEEPEST = 4  # a literal in a reply in a log
_QUOTED_PRINTABLE = re.compile(r".{70,75}=|.*=(?:3D|20)(?: .*)?")
_NOT_QUOTED_PRINTABLE = re.compile(r"=(?![0-9A-F]{2}|$)|.{77}")
_BROKEN = re.compile(r"[0-9a-f]{16}|\(prio|[\"']")
_PART = re.compile(r"(?<!\w)[0-9a-f]{16}(?!\w)|\(prio |(?:owner|parent):\{|\[disabled\]")

Numbered = list[tuple[int, str]]
"""Lines, each with its number in the text, from 1."""


class LiteralLines(NamedTuple):
    """Lines of a text, or those inside its string literals.

    Attributes:
        in_literals: whether the listing is in such.
        is_decoded: whether it was in a mail's coding: what a terminal wrote shows only now.
        is_open: whether the last of them had no end of line.
    """

    lines: Numbered
    in_literals: bool = False
    is_decoded: bool = False
    is_open: bool = False


def lines_of(text: str) -> LiteralLines:
    """Return a text's lines; those inside string literals where it has the listing there.

    Quoted-printable mail is decoded, too.

    Raises:
        PeerError: a part of the listing is in a literal that cannot be understood; says the line.
    """
    lines = list(enumerate(text.split("\n"), 1))
    is_decoded = any(_QUOTED_PRINTABLE.fullmatch(line) for _, line in lines) and not any(
        _NOT_QUOTED_PRINTABLE.search(line) for _, line in lines
    )
    if is_decoded:
        lines = _decoded(lines)
    listed = [line for _, line in lines if "(prio " in line]
    if listed and all(r"\n" not in line and _ALONE.fullmatch(line) for line in listed):
        return LiteralLines([(number, _content(line)) for number, line in lines], in_literals=True)
    found = LiteralLines(lines, is_decoded=is_decoded)
    for _ in range(_DEEPEST):
        if not any(r"\n" in line and _LISTED.search(line) for _, line in found.lines):
            break
        inside = _Inside()
        for number, line in found.lines:
            inside.take(number, line)
        found = inside.end()
        if inside.is_stuck:
            break
    for number, line in found.lines:
        if r"\n" in line and _LISTED.search(line):
            fail(number, "string literals that end, and nothing else that matters", line)
    return found


def _decoded(lines: Numbered) -> Numbered:
    """Return lines of quoted-printable text, broken ones joined."""
    found: Numbered = []
    begun = ""
    for number, line in lines:
        rest = _QUOTED.sub("", line) if begun else line
        if begun and not rest.strip():  # put there later: nobody goes on with nothing
            continue
        if begun and kind_of(rest.strip()) == Kind.CUT:  # the rest of that line is gone, too
            begun = ""
        first = found.pop()[0] if begun else number
        whole = begun + rest
        begun = whole.removesuffix("=") if rest.endswith("=") else ""
        decoded = quopri.decodestring((begun or whole).encode()).decode("utf-8", "replace")
        found.append((first, decoded if begun else decoded.rstrip()))
    return found


def _content(line: str) -> str:
    """Return what is in the literal that a line consists of; else the line."""
    match = _ALONE.fullmatch(line)
    if match is None:
        return "" if _BRACKET.fullmatch(line) else line
    return _ESCAPE.sub(_meaning, match[1] if match[1] is not None else match[2])


class _Inside:
    """Takes the listing out of string literals, joined as C and Python join them.

    Attributes:
        is_stuck: a line was left as it is, for somebody else to refuse.
    """

    def __init__(self) -> None:
        self.found: Numbered = []
        self.is_stuck = False
        self._begun = ""  # a line whose end is in the next literal
        self._begun_at = 0

    def take(self, number: int, line: str) -> None:
        """Take a line of the text."""
        if kind_of(line.strip()) == Kind.CUT:  # between literals
            self.found.append((number, line.strip()))
            return
        unclosed = _UNCLOSED.fullmatch(line) if self.found or self._begun else None
        if unclosed:  # the text ends in it
            self._take_content(number, unclosed[1])
            return
        first: int | None = None
        lost = False  # whether what is passed by may be a part of the listing
        is_all = _ALONE.fullmatch(line) is not None and (self.found or self._begun)
        for literal in _LITERAL.finditer(line):
            content = literal[1] if literal[1] is not None else literal[2]
            if not (is_all or _OF_A_LISTING.search(content) or _is_cut(content)):
                lost = lost or _PART.search(content) is not None
                continue
            first = literal.start() if first is None else first
            self._take_content(number, content)
        left = _LITERAL.sub("", line[first:] if first is not None else line)
        is_between = first is None or _BETWEEN.fullmatch(left) is not None
        is_other = first is None and left.strip() and self.found and r"\n" in line
        if lost or is_other or not is_between or _BROKEN.search(left):
            self.found.append((number, line))
            self.is_stuck = True

    def _take_content(self, number: int, content: str) -> None:
        *whole, rest = _ESCAPE.sub(_meaning, content).split("\n")
        for each in whole:
            self.found.append((self._begun_at or number, self._begun + each))
            self._begun, self._begun_at = "", 0
        if rest:
            self._begun, self._begun_at = self._begun + rest, self._begun_at or number

    def end(self) -> LiteralLines:
        """Return the lines, after the last one."""
        if self._begun:
            self.found.append((self._begun_at, self._begun))
        return LiteralLines(self.found, in_literals=True, is_open=bool(self._begun.strip()))


def _is_cut(content: str) -> bool:
    return kind_of(_ESCAPE.sub(_meaning, content).strip()) == Kind.CUT


def _meaning(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    if code:
        return chr(int(code, 16))
    return _MEANING.get(escape[3], escape[3])
