"""The words of the command line, held to the table of options."""

from __future__ import annotations

from collections.abc import Sequence

from guestmap.base import ConfigError, UnsupportedError
from guestmap.system.option_table import OPTIONS, OptionFate

Given = dict[str, list[str]]
"""What was given: the arguments of each option that means something, in order; "" for one that
takes none."""


def read_words(words: Sequence[str]) -> Given:
    """Read the words behind the program's name.

    Raises:
        ConfigError: a word is no option, or its argument is missing.
        UnsupportedError: an option, or its value, is refused; says why.
    """
    given: Given = {}
    rest = iter(words)
    for word in rest:
        name = word[2:] if word.startswith("--") else word[1:]
        option = OPTIONS.get(name)
        if not word.startswith("-"):
            raise UnsupportedError(f"{word}: disk images are not modelled")
        if option is None:
            raise ConfigError(f"{word}: invalid option")
        if option.fate is OptionFate.REFUSED:
            raise UnsupportedError(f"{word}: {option.reason}")
        value = next(rest, None) if option.takes else ""
        if value is None:
            raise ConfigError(f"{word}: requires an argument")
        if option.fate is OptionFate.MEANT:
            given.setdefault("machine" if name == "M" else name, []).append(value)
        elif not option.accepts(value):
            raise UnsupportedError(f"{word} {value}: is not modelled ({option.reason})")
    return given
