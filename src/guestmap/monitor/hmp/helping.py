"""``help``: what commands there are, and what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.monitor.hmp.command import find_command
from guestmap.monitor.hmp.scanner import Scanner

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.monitor.hmp.command import HmpCommand

_MOST_WORDS = 16


def help_text(commands: Sequence[HmpCommand], asked: str = "") -> str:
    """Return the help for all commands, or for the one whose words are ``asked``."""
    words = _words(asked)
    if words is None:
        return ""
    if not words:
        return _list(commands, "")
    prefix, level = "", commands
    for number, word in enumerate(words):
        command = find_command(level, word)
        if command is None:
            break
        if not command.commands:
            return command.help_line(prefix)
        prefix, level = f"{prefix}{word} ", command.commands
        if number + 1 == len(words):
            return _list(level, prefix)
    return f"unknown command: '{' '.join(words[: number + 1])}'\n"


def _list(commands: Sequence[HmpCommand], prefix: str) -> str:
    ordered = sorted(commands, key=lambda command: command.name)
    return "".join(command.help_line(prefix) for command in ordered)


def _words(text: str) -> list[str] | None:
    """Return the words; None where their quotes are wrong."""
    scanner = Scanner(text)
    words: list[str] = []
    while len(words) < _MOST_WORDS:
        scanner.skip_spaces()
        if scanner.at_end:
            break
        word = scanner.word()
        if word is None:
            return None
        words.append(word)
    return words
