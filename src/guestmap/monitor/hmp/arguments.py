"""What a command takes: the kinds of arguments, and how each is read from the line.

Texts and rules are those of QEMU's monitor: flags come in the order in which the command lists
them, and whatever is left at the end of a line is a mistake.
"""

from __future__ import annotations

import string
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from guestmap.base import MIB
from guestmap.monitor.hmp.expression import Registers, evaluate
from guestmap.monitor.hmp.scanner import SPACES, Scanner, SyntaxProblem


@dataclass(frozen=True, slots=True)
class Format:
    """How numbers are shown, and how many: GDB's ``/4xw``.

    ``size`` is in bytes; -1 for instructions.
    """

    count: int
    letter: str
    size: int


class DefaultFormat:
    """The letter and the size of the last format, which the next takes where it says none."""

    __slots__ = ("letter", "size")

    def __init__(self) -> None:
        self.letter = "x"
        self.size = 4


Value = str | int | bool | Format
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Reading:
    """What the kinds of arguments need to read theirs.

    Attributes:
        command: the command's name, for messages.
        scanner: the line, at the argument.
        registers: the values of ``$NAME``.
        formats: the format to fall back to.
        flags: letters of the flags that may still come.
    """

    command: str
    scanner: Scanner
    registers: Registers
    formats: DefaultFormat
    flags: str = ""

    def problem(self, text: str) -> SyntaxProblem:
        """Return the problem that names the command."""
        return SyntaxProblem(f"{self.command}: {text}")


@dataclass(frozen=True, slots=True)
class Argument(ABC):
    """One argument; ``name`` is the key of its value."""

    name: str
    optional: bool = False

    @abstractmethod
    def read(self, reading: Reading) -> Value | None:
        """Return the value; None where an optional argument is absent."""


class Word(Argument):
    """A word, perhaps in quotation marks."""

    def read(self, reading: Reading) -> str | None:
        """Read it."""
        reading.scanner.skip_spaces()
        if self.optional and reading.scanner.at_end:
            return None
        word = reading.scanner.word()
        if word is None:
            raise reading.problem("string expected")
        return word


class Rest(Argument):
    """All that is left of the line."""

    def read(self, reading: Reading) -> str | None:
        """Read it."""
        reading.scanner.skip_spaces()
        if not reading.scanner.at_end:
            return reading.scanner.rest()
        if self.optional:
            return None
        raise reading.problem("string expected")


@dataclass(frozen=True, slots=True)
class Options(Argument):
    """``key=value,...`` as one word; empty where it is absent.

    ``check`` raises SyntaxProblem for options that are none.
    """

    check: Callable[[str], None] = lambda _text: None

    def read(self, reading: Reading) -> str:
        """Read it."""
        reading.scanner.skip_spaces()
        if reading.scanner.at_end:
            return ""
        word = reading.scanner.word()
        if word is None:
            raise SyntaxProblem("", "")
        self.check(word)
        return word


@dataclass(frozen=True, slots=True)
class Number(Argument):
    """An expression of ``bits`` (32 or 64) bits."""

    bits: int = 64

    def read(self, reading: Reading) -> int | None:
        """Read it."""
        reading.scanner.skip_spaces()
        if self.optional and reading.scanner.at_end:
            return None
        value = evaluate(reading.scanner, reading.registers)
        if self.bits == 32 and value >> 32:
            raise SyntaxProblem(f"'{reading.command}' has failed: integer is for 32-bit values")
        return value


class Mebibytes(Number):
    """A number of MiB, not negative; its value is in bytes, as 64 bits with a sign hold it."""

    def read(self, reading: Reading) -> int | None:
        """Read it."""
        value = super().read(reading)
        if value is None:
            return None
        if value >> 63:
            raise SyntaxProblem("enter a positive value")
        return ((value * MIB + (1 << 63)) & (1 << 64) - 1) - (1 << 63)


class DottedNumber(Number):
    """A number behind a dot; absent where there is no dot."""

    def read(self, reading: Reading) -> int | None:
        """Read it."""
        reading.scanner.skip_spaces()
        if reading.scanner.next != ".":
            return None
        reading.scanner.step()
        return super().read(reading)


@dataclass(frozen=True, slots=True)
class Flag(Argument):
    """``-x``; other flags may follow, but none that comes earlier in the command's list."""

    letter: str = ""

    def read(self, reading: Reading) -> bool | None:
        """Read it."""
        scanner = reading.scanner
        scanner.skip_spaces()
        if scanner.next != "-":
            return None
        found = scanner.text[scanner.at + 1 : scanner.at + 2]
        if found == self.letter:
            scanner.at += 2
            return True
        if found and found in reading.flags:
            return None
        # QEMU prints the byte behind the dash: where the line ends there, it ends this text, too.
        raise SyntaxProblem(
            f"{reading.command}: unsupported option -{found}", "\n" if found else ""
        )


@dataclass(frozen=True, slots=True)
class FlagWord(Argument):
    """``-x word``: a word that stands behind a flag."""

    letter: str = ""

    def read(self, reading: Reading) -> str | None:
        """Read it."""
        if not Flag(self.name, letter=self.letter).read(reading):
            return None
        return Word(self.name).read(reading)


class FormatArgument(Argument):
    """GDB's format behind a slash: a count, a letter of ``oduxic``, a size of ``bhwgL``."""

    def read(self, reading: Reading) -> Format:
        """Read it, or take the one before."""
        scanner, formats = reading.scanner, reading.formats
        scanner.skip_spaces()
        count, letter, size = 1, "", -1
        if scanner.next == "/":
            scanner.at += 1
            if digits := scanner.take_while(string.digits):
                count = int(digits[:_MOST_DIGITS])
            while scanner.next:
                if scanner.next in "oduxic":
                    letter = scanner.next
                elif scanner.next in _SIZES:
                    size = _SIZES[scanner.next]
                else:
                    break
                scanner.at += 1
            if scanner.next and scanner.next not in SPACES:
                raise SyntaxProblem(f"invalid char in format: '{scanner.next}'")
            letter = letter or formats.letter
            if letter != "i":
                size = formats.size if size < 0 else size
                formats.size = size
            formats.letter = letter
        else:
            letter = formats.letter
            size = formats.size if letter != "i" else -1
        return Format(count, letter, size)


_SIZES = {"b": 1, "h": 2, "w": 4, "g": 8, "L": 8}
_MOST_DIGITS = 18


def read_arguments(arguments: tuple[Argument, ...], reading: Reading) -> dict[str, Value]:
    """Return the values by name; absent optional arguments have none.

    Raises:
        SyntaxProblem: the line is not what the command takes.
    """
    values: dict[str, Value] = {}
    for index, argument in enumerate(arguments):
        later = "".join(each.letter for each in arguments[index + 1 :] if isinstance(each, Flag))
        here = Reading(reading.command, reading.scanner, reading.registers, reading.formats, later)
        value = argument.read(here)
        if value is not None:
            values[argument.name] = value
    reading.scanner.skip_spaces()
    if not reading.scanner.at_end:
        raise reading.problem("extraneous characters at the end of line")
    return values
