"""The human monitor: a line in, text out.

The same lines as QEMU's, and the same answers, for whoever sends them through
``human-monitor-command``: people at ``qmp-shell`` and ``virsh``, and programs that read the map.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.base import GuestmapError
from guestmap.monitor.hmp.arguments import Reading, read_arguments
from guestmap.monitor.hmp.command import HmpCommand, HmpContext, take_command
from guestmap.monitor.hmp.registers import register_value
from guestmap.monitor.hmp.scanner import SPACES, Scanner, SyntaxProblem
from guestmap.monitor.hmp.table import COMMANDS

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine


class HumanMonitor:
    """The human monitor of one machine.

    It remembers one thing between lines, the format of the last dump; so one is made for each
    machine.
    """

    def __init__(self, vm: VirtualMachine) -> None:
        self._context = HmpContext(vm)

    def execute(self, line: str) -> str:
        r"""Carry a line out and return what it prints, with QEMU's line ends (``\r\n``).

        Call it where the machine stands still (``vm.exclusive()``). What cannot be done is said in
        the text; nothing is raised.
        """
        return self._execute(line).replace("\n", "\r\n")

    def _execute(self, line: str) -> str:
        scanner = Scanner(line)
        try:
            command = take_command(COMMANDS, scanner)
        except SyntaxProblem as problem:
            return f"{problem}\n"
        return "" if command is None else self._carry_out(command, scanner)

    def _carry_out(self, command: HmpCommand, scanner: Scanner) -> str:
        named = scanner.text[: scanner.at].rstrip(SPACES)
        context = self._context
        reading = Reading(
            command.name, scanner, lambda name: register_value(context, name), context.formats
        )
        try:
            values = read_arguments(command.arguments, reading)
        except SyntaxProblem as problem:
            return f'{problem}{problem.end}Try "help {named}" for more information\n'
        try:
            return command.run(context, values)
        except GuestmapError as error:
            return f"Error: {error}\n"
