"""What a command is to the server: its declaration, what it does, and what it needs for that."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.base import ConfigError, UnsupportedError
from guestmap.qmp import Command, EventType

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine
    from guestmap.monitor.claim import QemuClaim
    from guestmap.monitor.migration import FdMigration

Arguments = dict[str, Any]
"""A command's arguments, checked against its declaration, under their names on the wire."""


class Endpoint(NamedTuple):
    """A character device: what it is called, where its other end is, whether somebody is there.

    Attributes:
        filename: as ``query-chardev`` writes it: ``pty:/dev/pts/3``.
    """

    label: str
    filename: str
    is_connected: bool


def _no_human_monitor(_line: str) -> str:
    raise UnsupportedError("there is no human monitor here")


@dataclass(slots=True)
class Context:
    """What commands work on.

    Attributes:
        vm: the machine.
        commands: every command that there is.
        endpoints: gives the character devices: those that the server listens at, and others.
        is_kvm: whether a machine would run on KVM, where this one runs nothing; None: as it does.
        arrived: descriptors that came over the connection of who asks, and have no name yet; right
            for a command that needs nothing.
        human: carries out a line of the human monitor and returns what it prints.
    """

    vm: VirtualMachine
    commands: CommandTable
    endpoints: Callable[[], list[Endpoint]] = list
    arrived: deque[int] = field(default_factory=deque)
    is_kvm: bool | None = None
    human: Callable[[str], str] = _no_human_monitor
    _migration: FdMigration | None = None

    @property
    def runs_on_kvm(self) -> bool:
        """Whether KVM runs the guest."""
        return self.vm.accelerator.name == "kvm" if self.is_kvm is None else self.is_kvm

    @property
    def migration(self) -> FdMigration:
        """What is being made of the machine elsewhere, or of another one here."""
        if self._migration is None:
            from guestmap.monitor.migration import FdMigration

            self._migration = FdMigration(self.vm)
        return self._migration

    def check_cpu(self, index: int) -> None:
        """Check that there is a CPU of this number.

        Raises:
            ConfigError: there is none.
        """
        if index not in range(self.vm.board.cpus):
            raise ConfigError("Parameter 'cpu-index' expects a CPU number")


class Need(Enum):
    """What a command needs to have to itself."""

    NOTHING = "nothing"  # it reads what is published: it runs at once, whatever else goes on
    MACHINE = "machine"  # the machine, for a moment
    LONG = "long"  # the machine, and perhaps for seconds: not in the thread that serves others


@dataclass(frozen=True, slots=True)
class MonitorCommand:
    """A command.

    Attributes:
        declaration: its name and QAPI types.
        run: carries it out and returns its value.
        need: what it needs meanwhile, or what tells that from the arguments.
    """

    declaration: Command
    run: Callable[[Context, Arguments], Any]
    need: Need | Callable[[Arguments], Need] = Need.MACHINE

    def need_for(self, arguments: Arguments) -> Need:
        """Return what it needs when it is called with these arguments."""
        return self.need if isinstance(self.need, Need) else self.need(arguments)

    @property
    def name(self) -> str:
        """What it is called."""
        return self.declaration.name


class CommandTable:
    """Commands by name, and the events that a client may hear.

    Attributes:
        declarations: of the commands, by name.
        events: declarations of the events.
        claim: the QEMU whose they are.
    """

    def __init__(
        self, commands: Iterable[MonitorCommand], events: Iterable[EventType], claim: QemuClaim
    ) -> None:
        self._commands = {command.name: command for command in commands}
        self.declarations = {name: each.declaration for name, each in self._commands.items()}
        self.events = tuple(events)
        self.claim = claim

    def __getitem__(self, name: str) -> MonitorCommand:
        return self._commands[name]
