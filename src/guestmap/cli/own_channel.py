"""A PC of our own, asked in the words in which others' machines are asked: QMP without a socket."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from guestmap.base import GuestmapError
from guestmap.cli.source import RESET
from guestmap.inspect.sources.live import Attachment
from guestmap.machine import VirtualMachine
from guestmap.machine.moments import END
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.monitor.human import HumanLines
from guestmap.qmp.client import Channel, CommandError, Monitor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from guestmap.machine import MachineConfig
    from guestmap.machine.moments import Moment
    from guestmap.qmp.client import MonitorEvent


class OwnChannel(Channel):
    """Carries out commands of the monitor on a machine that this thread runs, and that stands.

    Args:
        vm: the machine.
        source: what it is called.
    """

    def __init__(self, vm: VirtualMachine, source: str) -> None:
        self._source = source
        self._vm = vm
        self._table = command_table()
        self._context = Context(vm, self._table, human=HumanLines(vm))

    @property
    def source(self) -> str:
        """What the machine is called."""
        return self._source

    def execute(self, command: str, arguments: Mapping[str, object]) -> object:
        """Return what a command returns.

        Raises:
            CommandError: the machine answered with an error.
        """
        try:
            with self._vm.exclusive():
                return self._table[command].run(self._context, dict(arguments))
        except GuestmapError as error:
            raise CommandError(f"{command}: {error}", "GenericError") from error

    def events(self) -> list[MonitorEvent]:
        """Return nothing: who asks is who runs the machine."""
        return []

    def close(self) -> None:
        """Do nothing: the machine is closed by who made it."""


@contextmanager
def own_attachment(
    state: str, config: MachineConfig, moment: Moment | None = None
) -> Iterator[Attachment]:
    """Make a machine, run it to where it is asked for, and attach to it.

    Args:
        state: ``reset`` or ``boot``.
        config: the machine.
        moment: of the boot; None for its end.
    """
    with VirtualMachine(config, engine="none" if state == RESET else "unicorn") as vm:
        if state != RESET:
            (moment or END).reach(vm)
        yield Attachment(Monitor(OwnChannel(vm, f"guestmap {state}")))
