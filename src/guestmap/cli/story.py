"""What happens while a machine boots, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from guestmap.accel import Accelerator, Standstill
from guestmap.base import format_size, printable
from guestmap.cli.tables import STYLES, cell, table
from guestmap.machine import (
    DESCRIPTIONS,
    Event,
    LogLine,
    MachineReset,
    PhaseChange,
    TracedAccess,
    VirtualMachine,
)
from guestmap.machine.flow.records import FlowEvent
from guestmap.memory import FlatRange, FlatView
from guestmap.memory.map import AddressChange, CommitRecord

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_MAX_PIECES = 12
"""Lines that one change of the map prints at most; a reset may change many places."""


class Story:
    """Prints events as they come.

    Args:
        console: where to.
        log: whether to print the firmware's own log lines too.
    """

    def __init__(self, console: Console, *, log: bool = True) -> None:
        self._console = console
        self._log = log
        self.map_changes = 0

    def tell(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, LogLine):
            if self._log:
                self._line(event.time_ns, Text(printable(event.text)))
        elif isinstance(event, PhaseChange):
            self._phase(event)
        elif isinstance(event, CommitRecord):
            self._commit(event)
        elif isinstance(event, MachineReset):
            self._line(event.time_ns, Text(f"reset: {printable(event.reason)}", style="bold red"))
        elif isinstance(event, TracedAccess):
            self._access(event)
        elif isinstance(event, Standstill):
            self._line(event.time_ns, Text(str(event), style="bold red"))
        elif isinstance(event, FlowEvent):
            self._flow(event)

    def _flow(self, event: FlowEvent) -> None:
        from guestmap.cli.flow import flow_line

        self._line(event.time_ns, Text(flow_line(event), style="green"))

    def _access(self, event: TracedAccess) -> None:
        from guestmap.cli.tracing import access_line

        style = "bold yellow" if event.stops else "cyan"
        self._line(event.time_ns, Text(access_line(event), style=style))

    def _line(self, time_ns: int, text: Text) -> None:
        stamp = Text(f"{time_ns / 1e6:9.2f} ms  ", style="dim")
        self._console.print(stamp + text, soft_wrap=True)

    def _phase(self, change: PhaseChange) -> None:
        text = Text(f"== {change.phase}", style="bold magenta")
        evidence = printable(change.evidence)
        text.append(f"  {DESCRIPTIONS[change.phase]} ({evidence})", style="not bold dim")
        self._line(change.time_ns, text)

    def _commit(self, record: CommitRecord) -> None:
        self.map_changes += 1
        cause = printable(record.cause or "map changed")
        self._line(record.time_ns, Text(f">> {cause}", style="bold blue"))
        told: list[list[AddressChange]] = []
        for change in record.changes:
            pieces = change.by_address()
            if not any(_same(pieces, others) for others in told):  # views of each CPU are alike
                told.append(pieces)
                for piece in pieces[:_MAX_PIECES]:
                    self._piece(piece)
                if len(pieces) > _MAX_PIECES:
                    self._console.print(f"{'':15}... and {len(pieces) - _MAX_PIECES} more")

    def _piece(self, piece: AddressChange) -> None:
        text = Text(f"{'':15}{piece.start:016x}-{piece.end - 1:016x}  ", style="dim")
        text.append(_answer(piece.old, piece.start), style="not dim red")
        text.append(" -> ")
        text.append(_answer(piece.new, piece.start), style="not dim green")
        self._console.print(text, soft_wrap=True)


def _same(pieces: list[AddressChange], others: list[AddressChange]) -> bool:
    def facts(changes: list[AddressChange]) -> list[tuple[object, ...]]:
        return [(c.start, c.end, _answer(c.old, c.start), _answer(c.new, c.start)) for c in changes]

    return facts(pieces) == facts(others)


def _answer(each: FlatRange | None, address: int) -> str:
    """Return who answers at an address, in a few words."""
    if each is None:
        return "nobody"
    offset = each.offset_in_region + address - each.start
    name = printable(each.region.name)
    return f"{each.mtree_type()} {name}" + (f" @{offset:x}" if offset else "")


def flat_table(view: FlatView, title: str) -> Table:
    """Return a flat view as a table for people."""
    made = table("from", "to", ("size", "right"), "type", "region", "offset", title=title)
    for each in view:
        kind = each.mtree_type()
        offset = f"@{each.offset_in_region:x}" if each.offset_in_region else ""
        made.add_row(
            f"{each.start:016x}", f"{each.end - 1:016x}", format_size(each.size), kind,
            cell(each.region.name), offset,
            style=STYLES.get(kind, ""),
        )  # fmt: skip
    return made


def summary(vm: VirtualMachine, story: Story) -> Text:
    """Return what the run came to, in a few lines."""
    board, counts = vm.board, vm.accelerator.statistics()
    phases = ", ".join(f"{c.phase} {c.time_ns / 1e6:.1f} ms" for c in vm.phases.changes)
    return Text(
        f"RAM {format_size(board.config.ram_size)}, engine {vm.accelerator.name},"
        f" machine {vm.state}\n"
        f"phases: {phases}\n"
        f"map: {story.map_changes} changes, generation {board.system.generation};"
        f" engine: {counts.maps} maps, {counts.unmaps} unmaps,"
        f" {counts.invalidations} invalidations\n"
        f"ports: {counts.port_reads} reads, {counts.port_writes} writes;"
        f" devices in memory: {counts.mmio_reads} reads, {counts.mmio_writes} writes;"
        f" {counts.interrupts} interrupts, {counts.software_interrupts} software interrupts"
    )


def engine_line(engine: Accelerator) -> str:
    """Return how an engine does each part of a CPU, in one line."""
    ways: dict[str, list[str]] = {}
    for part, way in engine.parts.items():
        ways.setdefault(way, []).append(part)
    told = (f"{', '.join(parts)}: {printable(way)}" for way, parts in ways.items())
    return f"engine {engine.name}" + "".join(f"; {each}" for each in told)
