"""``first,key=value,a.b=c,list.0=d``: options as a structure of texts.

QEMU's newer option syntax (util/keyval.c), which ``-blockdev`` and the monitor's ``object_add``
take: a doubled comma is a comma of the value, dots lead into the structure, names that are numbers
make lists, and of several values of one key the last counts. Unlike ``device_add``'s options, every
key has a value.
"""

from __future__ import annotations

import re
from typing import Any

from guestmap.base import ConfigError

_NAME = re.compile(
    r"(?:__[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*_)?[A-Za-z][A-Za-z0-9_-]*|[0-9]+", re.ASCII
)
_LONGEST_NAME = 128
_DEEPEST = 100
"""Names of one key; QEMU has no bound but its stack."""
_HELP = ("help", "?")


class HelpWanted(Exception):  # noqa: N818 - it is what the options ask for
    """One of the options is ``help``; holds those that were read."""

    def __init__(self, options: dict[str, Any]) -> None:
        super().__init__("help")
        self.options = options


def parse_keyval(text: str, first: str) -> dict[str, Any]:
    """Return the structure: texts, in dictionaries and lists.

    Args:
        text: the options.
        first: the key of a first item without ``=``.

    Raises:
        ConfigError: with QEMU's text for what is wrong.
        HelpWanted: an item is ``help`` or ``?``.
    """
    tree: dict[str, Any] = {}
    wants_help, at, implied = False, 0, first
    while at < len(text):
        at, wanted = _take(text, at, implied, tree)
        wants_help, implied = wants_help or wanted, ""
    options = {name: _structure(value, f"{name}.") for name, value in tree.items()}
    if wants_help:
        raise HelpWanted(options)
    return options


def _take(text: str, at: int, implied: str, tree: dict[str, Any]) -> tuple[int, bool]:
    """Enter one item; return where the next begins, and whether it asks for help."""
    stop = _first_of(text, at, "=,")
    has_value = text[stop : stop + 1] == "="
    if text[at:stop] in _HELP and not has_value:
        return stop + 1, True
    if implied and not has_value and stop > at:
        # The value of the implied key ends at a comma, doubled or not: no comma can be in it.
        _enter(tree, implied, text[at:stop])
        return stop + 1, False
    key_end = _checked_key(text, at)
    key = text[at:key_end]
    if text[key_end : key_end + 1] != "=":
        raise ConfigError(f"Expected '=' after parameter '{key}'")
    value, stop = _value(text, key_end + 1)
    _enter(tree, key, value)
    return stop, False


def _checked_key(text: str, at: int) -> int:
    """Return where the key ends that begins at ``at``."""
    end = _first_of(text, at, "=,")
    place = at
    while True:
        found = _NAME.match(text, place, end)
        name_end = place if found is None else found.end()
        is_whole = name_end == end or text[name_end : name_end + 1] == "."
        is_number = found is not None and found[0].isdigit()
        if found is None or not is_whole or (place == at and is_number):
            raise ConfigError(f"Invalid parameter '{text[at:end]}'")
        if name_end - place >= _LONGEST_NAME:
            what = "fragment " if place != at or name_end != end else ""
            raise ConfigError(f"Parameter {what}'{found[0]}' is too long")
        if name_end == end:
            return end
        place = name_end + 1


def _value(text: str, at: int) -> tuple[str, int]:
    """Return the value that begins at ``at``, and where the next item does."""
    parts = []
    while True:
        stop = _first_of(text, at, ",")
        parts.append(text[at:stop])
        if text[stop : stop + 2] != ",,":
            return "".join(parts), stop + 1
        parts.append(",")
        at = stop + 2


def _first_of(text: str, at: int, marks: str) -> int:
    places = [place for mark in marks if (place := text.find(mark, at)) >= 0]
    return min(places, default=len(text))


def _enter(tree: dict[str, Any], key: str, value: str) -> None:
    names, place = key.split("."), tree
    if len(names) > _DEEPEST:
        raise ConfigError(f"Parameter '{names[0]}' is nested too deeply")
    for depth, name in enumerate(names[:-1]):
        inner = place.setdefault(name, {})
        if not isinstance(inner, dict):
            _mixed(".".join(names[: depth + 1]))
        place = inner
    if isinstance(place.get(names[-1]), dict):
        _mixed(key)
    place[names[-1]] = value


def _mixed(key: str) -> None:
    raise ConfigError(f"Parameters '{key}.*' used inconsistently")


def _structure(value: Any, key: str) -> Any:
    """Make lists of the dictionaries whose names are all numbers."""
    if not isinstance(value, dict):
        return value
    inner = {name: _structure(each, f"{key}{name}.") for name, each in value.items()}
    numbers = [name for name in inner if name.isdigit()]
    if not numbers:
        return inner
    if len(numbers) < len(inner):
        raise ConfigError(f"Parameters '{key}*' used inconsistently")
    by_index = {int(name): each for name, each in inner.items()}
    for index in range(len(by_index)):
        if index not in by_index:
            raise ConfigError(f"Parameter '{key}{index}' missing")
    return [by_index[index] for index in range(len(by_index))]
