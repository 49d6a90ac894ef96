"""What a program asks ``guestmap boot`` for: the events, and the map at the end."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from guestmap.machine import Event, MachineReset
from guestmap.memory.map import CommitRecord

if TYPE_CHECKING:
    from guestmap.machine import VirtualMachine

KEPT = 2048
"""Events of a kind that are kept: a managed machine may run, and be reset, for weeks."""


class Recorder:
    """Keeps the events that the report tells: the newest ones.

    Attributes:
        commits, resets: what happened.
        forgotten: how many commits were before those.
    """

    def __init__(self) -> None:
        self.commits: deque[CommitRecord] = deque(maxlen=KEPT)
        self.resets: deque[MachineReset] = deque(maxlen=KEPT)
        self.forgotten = 0

    def tell(self, event: Event) -> None:
        """Keep one event."""
        if isinstance(event, CommitRecord):
            self.forgotten += len(self.commits) == KEPT
            self.commits.append(event)
        elif isinstance(event, MachineReset):
            self.resets.append(event)


class BootTexts:
    """The texts that were asked for; what they need is imported with it.

    Args:
        vm: the machine, before its first instruction.
        mtree, flat, as_json: which texts.
        traced: whether accesses were asked for.
    """

    def __init__(
        self, vm: VirtualMachine, *, mtree: bool, flat: bool, as_json: bool, traced: bool
    ) -> None:
        from guestmap.inspect import Snapshot

        self._vm = vm
        self._traced = traced
        self._mtree, self._flat, self._as_json = mtree, flat, as_json
        self._before = Snapshot.of(vm.board.system, source="guestmap at reset")

    def give(self, recorder: Recorder) -> None:
        """Print the texts."""
        from guestmap.cli.boot_report import report
        from guestmap.cli.output import say_json, write
        from guestmap.inspect import Snapshot
        from guestmap.inspect.map.printable import with_printable_texts
        from guestmap.inspect.text.mtree import write_flat, write_mtree

        after = Snapshot.of(self._vm.board.system, source="guestmap")
        if self._mtree:
            write(write_mtree(with_printable_texts(after)))
        if self._flat:
            write(write_flat(with_printable_texts(after)))
        if self._as_json:
            whole = report(self._vm, recorder, self._before, after, traced=self._traced)
            say_json(whole, indent=None)
