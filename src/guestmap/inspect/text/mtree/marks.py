"""Marks behind a range: which accelerators have it as a slot.

QEMU puts a word behind the name, its offset and its owner for each address space that an
accelerator knows the range in (``KVM``). Early builds of that feature print it in small letters,
and others may print other words. Taken for a part of the name a mark would hide the offset before
it, so whatever stands behind an offset or an owner is a mark, or the line is refused.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RangeInfo, ViewInfo

_HEX = "[0-9a-f]{16}"
_ID = r"(?:[^ {}]|\{[^ {}]*\})"
_WHO = rf":\{{\w+(?: (?:id={_ID}+|path=/{_ID}*|type={_ID}+))?\}}"
OWNER = rf" (?:orphan|owner{_WHO}(?: parent{_WHO})?|parent{_WHO})"
"""Who owns a region (``-o``, since 3.0): a device by id or path, another object by path or type."""

_BEFORE = re.compile(rf".*?(?: @{_HEX}(?:{OWNER})?|{OWNER})(?= |$)")
_KNOWN = re.compile(r"(?: (?:kvm|hvf|whpx|nvmm|hax|mshv|xen))+$", re.IGNORECASE)
"""Accelerators of QEMU (``-accel help``), behind a name alone."""

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,11}")


def part_marks(rest: str) -> tuple[str, tuple[str, ...]] | None:
    """Part a range's name, offset and owner from the marks behind them; None: not understood."""
    before, known = _BEFORE.match(rest), _KNOWN.search(rest)
    end = before.end() if before else known.start() if known else len(rest)
    marks = tuple(rest[end:].split())
    if not all(_WORD.fullmatch(mark) for mark in marks):
        return None
    return rest[:end], marks


def find_more(views: Iterable[ViewInfo]) -> list[ViewInfo]:
    """Take for marks, of memory, what other lines show to be some.

    Those are last words which are marks elsewhere in the text, or without which the name is that of
    other memory in it. An accelerator may be called by several words.
    """
    views = list(views)
    ranges = [each for view in views for each in view.ranges if each.type != "i/o"]
    marks = {_once(each.accelerator) for each in ranges if each.accelerator}
    memory = {each.name for each in ranges}

    def looked_at(each: RangeInfo) -> RangeInfo:
        words = each.name.split(" ")
        for at in range(1, len(words)) if each.type != "i/o" else ():
            name, tail = " ".join(words[:at]), tuple(words[at:])
            if (name in memory or _once(tail) in marks) and all(map(_WORD.fullmatch, tail)):
                accelerator = (*tail, *each.accelerator)
                return msgspec.structs.replace(each, name=name, accelerator=accelerator)
        return each

    if not any(" " in name for name in memory):
        return views
    return [replace(view, ranges=tuple(looked_at(each) for each in view.ranges)) for view in views]


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that make others by being repeated, once for each address space."""
    count = len(words)
    return next(
        words[:size]
        for size in range(1, count + 1)
        if count % size == 0 and words[:size] * (count // size) == words
    )
