"""Reading a command line that is plainly right, without the library of the command line.

That library takes longer to import than a map to explain, or a firmware to run. So a line of which
each word is a known option, spelled out, or a value of its kind is read here. Any other is left to
the library: what is wrong with a line, and help, are told in one place.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from guestmap.base.named_tuple import NamedTuple
from guestmap.cli.ending import ended, let_interrupts_raise
from guestmap.cli.streams import standard_streams


class PlainForm(NamedTuple):
    """What the words of a command may be.

    Attributes:
        flags: options without a value, and the parameters that they set.
        values: options with one, their parameters, and how the value is read (ValueError: it is
            none).
        lists: the same, for options that may come again and again.
        places: the parameters of the words that belong to no option, all of which must be there.
    """

    flags: Mapping[str, str]
    values: Mapping[str, tuple[str, Callable[[str], Any]]]
    lists: Mapping[str, tuple[str, Callable[[str], Any]]] = {}
    places: tuple[str, ...] = ()


class PlainWords(NamedTuple):
    """What a line says.

    Attributes:
        found: parameters and their values.
        spelled: parameters and the option that gave each.
    """

    found: dict[str, Any]
    spelled: dict[str, str]


def plain_words(form: PlainForm, words: Sequence[str]) -> PlainWords | None:
    """Return what the words behind a command say; None where that takes more than a look."""
    found: dict[str, Any] = {}
    spelled: dict[str, str] = {}
    left = iter(words)
    places = iter(form.places)
    for word in left:
        if word in form.flags:
            name = form.flags[word]
            found[name] = True
        elif word in form.values:
            name, kind = form.values[word]
            if (value := _value(left, kind)) is None:
                return None
            found[name] = value
        elif word in form.lists:
            name, kind = form.lists[word]
            if (value := _value(left, kind)) is None:
                return None
            found[name] = (*found.get(name, ()), value)
        elif word and not word.startswith("-") and (name := next(places, "")):
            found[name] = word
        else:
            return None
        spelled.setdefault(name, word)
    return PlainWords(found, spelled) if next(places, None) is None else None


def board(text: str) -> str:
    """Return the value of ``-M``.

    Raises:
        ValueError: it asks for help.
    """
    if text.endswith(("help", "?")):
        raise ValueError("asks for help")
    return text


def run(command: Callable[[], int | None], *, as_json: bool, cleans_up: bool) -> None:
    """Do it, and end the program with the status, as :func:`guestmap.cli.app.run` does."""
    with standard_streams() as streams:
        if cleans_up:
            let_interrupts_raise()
        status = streams.settle(ended(command, as_json=as_json), changes=False)
    sys.exit(status)


def _value(left: Iterator[str], kind: Callable[[str], Any]) -> Any:
    """Return the value that comes next; None where there is none that is plainly one."""
    text = next(left, "")
    if not text or text.startswith("-"):
        return None
    try:
        return kind(text)
    except ValueError:
        return None
