"""A command of the human monitor, and how it is found in a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.monitor.hmp.arguments import Argument, DefaultFormat, Values
from guestmap.monitor.hmp.scanner import SPACES, Scanner, SyntaxProblem

if TYPE_CHECKING:
    from guestmap.machine import Board, VirtualMachine


class HmpContext:
    """What a command works on.

    Attributes:
        vm: the machine.
        formats: how the last dump was shown.
    """

    __slots__ = ("_qmp", "formats", "vm")

    def __init__(self, vm: VirtualMachine) -> None:
        self.vm = vm
        self.formats = DefaultFormat()
        self._qmp = Context(vm, command_table())

    def query(self, name: str, **arguments: Any) -> Any:
        """Return what a QMP command returns."""
        return self._qmp.commands[name].run(self._qmp, arguments)

    @property
    def board(self) -> Board:
        """All of the machine but its CPU."""
        return self.vm.board


Run = Callable[[HmpContext, Values], str]
"""Carries a command out and returns what it prints; a GuestmapError becomes ``Error: ...``."""


def showing(query: str, text: Callable[[Any], str]) -> Run:
    """Return what shows the value of a QMP query as text."""
    return lambda context, _values: text(context.query(query))


@dataclass(frozen=True, slots=True)
class HmpCommand:
    """A command.

    Attributes:
        name: what is typed; several names of one command have ``|`` between them.
        run: what it does.
        arguments: what it takes.
        usage: the arguments as ``help`` shows them.
        about: what it does, for people, in a few words.
        commands: what may follow it (``info``).
    """

    name: str
    run: Run
    arguments: tuple[Argument, ...] = ()
    usage: str = ""
    about: str = ""
    commands: tuple[HmpCommand, ...] = ()

    def is_named(self, name: str) -> bool:
        """Whether ``name`` is one of its names."""
        return name in self.name.split("|")

    def help_line(self, prefix: str = "") -> str:
        """Return its line of ``help``."""
        return f"{prefix}{self.name} {self.usage} -- {self.about}\n"


def find_command(commands: Sequence[HmpCommand], name: str) -> HmpCommand | None:
    """Return the command of that name."""
    return next((each for each in commands if each.is_named(name)), None)


def take_command(commands: Sequence[HmpCommand], scanner: Scanner) -> HmpCommand | None:
    """Read a command's name, and its subcommand's; None where the line is blank.

    Raises:
        SyntaxProblem: there is no such command.
    """
    scanner.skip_spaces()
    if scanner.at_end:
        return None
    name = scanner.take_until(SPACES + "/")
    command = find_command(commands, name)
    if command is None:
        raise SyntaxProblem(f"unknown command: '{scanner.text[: scanner.at]}'")
    scanner.skip_spaces()
    if command.commands and not scanner.at_end:
        return take_command(command.commands, scanner)
    return command
