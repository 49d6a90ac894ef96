"""``guestmap boot``, told as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from guestmap.cli.boot_told import Silence
from guestmap.cli.console import console
from guestmap.cli.in_vain import print_in_vain
from guestmap.cli.story import Story, engine_line, flat_table, summary
from guestmap.cli.tables import print_whole
from guestmap.machine import TracedAccess
from guestmap.machine.flow.records import FlowEvent

if TYPE_CHECKING:
    from guestmap.machine import Event, VirtualMachine


class Aloud(Silence):
    """Tells everything.

    Args:
        stderr: where to: stdout has been asked for something else.
        verbose: tell how the engine works, too.
    """

    def __init__(self, *, stderr: bool, verbose: bool) -> None:
        self._console = console(stderr=stderr)
        self._story = Story(self._console)
        self._verbose = verbose

    def begin(self, vm: VirtualMachine) -> None:
        """Show the machine at reset."""
        for line in vm.accelerator.left_out:
            self._console.print(line, soft_wrap=True)
        if self._verbose:
            self._console.print(engine_line(vm.accelerator), soft_wrap=True)
        when = "at reset" if vm.phases.phase is None else "as it was saved"
        print_whole(self._console, flat_table(vm.board.memory.view, f"{when}: what the CPU sees"))

    def tell(self, event: Event) -> None:
        """Tell an event."""
        self._story.tell(event)

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line)

    def stopped(self, vm: VirtualMachine) -> None:
        """Show the registers."""
        from guestmap.monitor.hmp.registers import registers_text

        text = Text(registers_text(vm.vcpu).rstrip())
        self._console.print(Text("stopped there:", style="bold"))
        self._console.print(text, soft_wrap=True)

    def end(self, vm: VirtualMachine) -> None:
        """Show what became of the machine."""
        print_whole(
            self._console, flat_table(vm.board.memory.view, "at the end: what the CPU sees")
        )
        self._end_of_flow(vm)
        print_in_vain(self._console, vm.accelerator.in_vain)
        self._console.print(summary(vm, self._story))

    def _end_of_flow(self, vm: VirtualMachine) -> None:
        if vm.flow is not None:
            from guestmap.cli.flow import flow_table

            print_whole(self._console, flow_table(vm.flow))


class AskedFor(Aloud):
    """Tells what was asked for by name, and not the story round it."""

    def begin(self, vm: VirtualMachine) -> None:
        """Tell nothing."""

    def tell(self, event: Event) -> None:
        """Tell a traced access, or what the firmware's flow came to."""
        if isinstance(event, TracedAccess | FlowEvent):
            super().tell(event)

    def say(self, line: str) -> None:
        """Tell nothing."""

    def end(self, vm: VirtualMachine) -> None:
        """Show what the flow came to."""
        self._end_of_flow(vm)
