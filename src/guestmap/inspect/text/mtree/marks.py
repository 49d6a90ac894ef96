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
_TAIL = re.compile(rf"(?<=.)(?: (?P<word>{_WORD.pattern}))(?: (?P=word))*$")


def part_marks(rest: str) -> tuple[str, tuple[str, ...]] | None:
    """Part a range's name, offset and owner from the marks behind them; None: not understood."""
    before, known = _BEFORE.match(rest), _KNOWN.search(rest)
    end = before.end() if before else known.start() if known else len(rest)
    marks = tuple(rest[end:].split())
    if not all(_WORD.fullmatch(mark) for mark in marks):
        return None
    return rest[:end], marks


def find_more(views: Iterable[ViewInfo]) -> list[ViewInfo]:
    """Take for a mark, of memory, what other lines show to be one.

    That is a last word which is a mark elsewhere in the text, or without which the name is that of
    other memory in it.
    """
    views = list(views)
    ranges = [each for view in views for each in view.ranges if each.type != "i/o"]
    marks = {mark for each in ranges for mark in each.accelerator}
    memory = {each.name for each in ranges}

    def looked_at(each: RangeInfo) -> RangeInfo:
        tail = _TAIL.search(each.name)
        if each.type == "i/o" or tail is None:
            return each
        name, words = each.name[: tail.start()], tuple(tail[0].split())
        if words[0] not in marks and name not in memory:
            return each
        return msgspec.structs.replace(each, name=name, accelerator=(*words, *each.accelerator))

    if not any(" " in name for name in memory):
        return views
    return [replace(view, ranges=tuple(looked_at(each) for each in view.ranges)) for view in views]
