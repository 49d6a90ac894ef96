"""The real monitor of an empty machine, asked without a socket and without a thread."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from guestmap.machine.config import MachineConfig
from guestmap.machine.run_state import RunState
from guestmap.machine.vm import VirtualMachine
from guestmap.monitor.answer import answer
from guestmap.monitor.claim import claim_called
from guestmap.monitor.command import Context
from guestmap.monitor.commands import command_table
from guestmap.monitor.commands.identity import version_of
from guestmap.monitor.human import HumanLines
from guestmap.qmp import Session


class RealMonitor:
    """The monitor; a context manager.

    Args:
        claim: the QEMU that it says it is.
        is_kvm: whether a machine would run on KVM.
    """

    def __init__(self, claim: str, is_kvm: bool = False) -> None:
        config = MachineConfig(ram_size=0, machine="none")
        self._vm = VirtualMachine(config, engine="none")
        table = command_table(claim_called(claim))
        self._context = Context(self._vm, table, is_kvm=is_kvm, human=HumanLines(self._vm))

    @property
    def is_over(self) -> bool:
        """Whether it was told to quit."""
        return self._vm.state is RunState.SHUTDOWN

    def conversation(self, *, is_negotiating: bool = True) -> Conversation:
        """Return a new conversation; one that is over its first command where that is said."""
        return Conversation(self._context, is_negotiating=is_negotiating)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._vm.close()


class Conversation:
    """What one client is told."""

    def __init__(self, context: Context, *, is_negotiating: bool) -> None:
        self._context = context
        commands = context.commands
        self._session = Session(commands.declarations, version_of(commands.claim))
        self._session.negotiating = is_negotiating

    @property
    def greeting(self) -> bytes:
        """The first line."""
        return self._session.greeting()

    def replies(self, data: bytes) -> Iterator[bytes]:
        """Yield the answers to what came."""
        for item in self._session.receive(data):
            if isinstance(item, bytes):
                yield item
            else:
                command = self._context.commands[item.command.name]
                yield answer(self._session, self._context, command, item)
