"""``guestmap watch boot``: a PC of our own, and each change of its map with its true cause."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from guestmap.cli.output import say_json
from guestmap.cli.streams import is_lost
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.diff import diff
from guestmap.machine import Event, MachineConfig, MachineReset, VirtualMachine
from guestmap.memory.map import CommitRecord

if TYPE_CHECKING:
    from rich.console import Console

    from guestmap.cli.story import Story

SOURCE = "guestmap"


class _Out(Protocol):
    """How a run is told."""

    def begin(self, vm: VirtualMachine) -> None:
        """Tell what there is before the first instruction."""

    def tell(self, vm: VirtualMachine, event: Event) -> None:
        """Tell what happened."""

    def end(self, vm: VirtualMachine) -> None:
        """Tell what it came to."""


def watch_boot(config: MachineConfig, *, as_json: bool) -> None:
    """Run the machine until Ctrl-C, its own end, or nobody reads any more.

    Args:
        config: the machine.
        as_json: print JSON Lines of the form that other machines are told in.
    """
    out: _Out = _Lines() if as_json else _words()

    def observe(event: Event) -> None:
        out.tell(vm, event)
        if is_lost():
            vm.stop()

    with VirtualMachine(config, observer=observe) as vm:
        out.begin(vm)
        with suppress(KeyboardInterrupt):  # this is how it ends
            vm.run()
        out.end(vm)


def _words() -> _Out:
    from guestmap.cli.console import console
    from guestmap.cli.story import Story

    out = console()
    return _Words(out, Story(out, log=False))


class _Words:
    """For people."""

    def __init__(self, out: Console, story: Story) -> None:
        self._out, self._story = out, story

    def begin(self, vm: VirtualMachine) -> None:
        del vm

    def tell(self, vm: VirtualMachine, event: Event) -> None:
        del vm
        self._story.tell(event)

    def end(self, vm: VirtualMachine) -> None:
        from guestmap.cli.story import summary

        self._out.print(summary(vm, self._story))


class _Lines:
    """For programs: JSON Lines. A change has its ``cause`` too, which is no guess."""

    def __init__(self) -> None:
        self._seen = Snapshot()
        self._changes = self._events = 0

    def begin(self, vm: VirtualMachine) -> None:
        self._seen = self._look(vm)
        self._print(
            {
                "format": "guestmap.watch",
                "format_version": 1,
                "source": SOURCE,
                "version": self._seen.version,
                "interval_s": None,
                "snapshot": self._seen.to_json(),
            }
        )

    def tell(self, vm: VirtualMachine, event: Event) -> None:
        form: dict[str, Any] = {"time_s": vm.board.clock.now_ns() / 1e9, "events": []}
        if isinstance(event, CommitRecord):
            before, self._seen = self._seen, self._look(vm)
            form["cause"] = event.cause
            form["diff"] = diff(before, self._seen).to_json()
            form["snapshot"] = self._seen.to_json()
            self._changes += 1
        elif isinstance(event, MachineReset):
            form["events"].append({"name": "RESET", "data": {"reason": event.reason}})
            self._events += 1
        else:
            return
        self._print(form)

    def end(self, vm: VirtualMachine) -> None:
        self._print(
            {
                "time_s": vm.board.clock.now_ns() / 1e9,
                "looks": self._changes,
                "changes": self._changes,
                "events": self._events,
                "ended": True,
            }
        )

    def _look(self, vm: VirtualMachine) -> Snapshot:
        return Snapshot.of(vm.board.system, source=SOURCE)

    def _print(self, form: dict[str, Any]) -> None:
        say_json(form, indent=None, flush=True)
