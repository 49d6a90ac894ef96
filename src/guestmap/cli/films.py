"""What ``guestmap serve`` shows: films of a boot, of a running machine, and of files."""

from __future__ import annotations

import time
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from guestmap.base import ConfigError
from guestmap.cli.drives_asked import drives_asked
from guestmap.cli.source import BOOT, load_snapshot, own_machine
from guestmap.machine.phases import Phase
from guestmap.view.film import Frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from guestmap.cli.source import OwnMachine
    from guestmap.machine import Event, MachineConfig, VirtualMachine
    from guestmap.machine.moments import Moment
    from guestmap.machine.timeline import Timeline
    from guestmap.qmp.client import Target
    from guestmap.view.film import Film

INTERVAL_S = 1.0
"""Between two looks at a running machine, where nothing else is asked for."""


class BootWishes(NamedTuple):
    """What is asked of a machine that boots.

    Attributes:
        until: the phase in which it ends.
        bios: another firmware.
        option_roms: more of them.
        restore: a saved machine that goes on, in the place of a new one.
        trace: ranges, accesses of which are told.
        stop_at: ranges, at an access of which it ends.
        flow: the firmware's flow is told.
        vga: its display adapter.
        drive: drives, as ``boot --drive`` has them; ``disk``, ``cdrom``: as its others do.
    """

    until: Phase = Phase.HALT
    bios: Path | None = None
    option_roms: tuple[Path, ...] = ()
    restore: Path | None = None
    trace: tuple[str, ...] = ()
    stop_at: tuple[str, ...] = ()
    flow: bool = False
    vga: str = ""
    drive: tuple[str, ...] = ()
    disk: tuple[Path, ...] = ()
    cdrom: Path | None = None


def fill(
    film: Film,
    sources: list[str],
    wishes: BootWishes,
    interval: float | None,
    *,
    keys: bool = False,
) -> Callable[[], None]:
    """Return what adds the frames of the sources to a film.

    Args:
        film: where to.
        sources: what is shown.
        wishes: what is asked of a boot.
        interval: seconds between two looks at a running machine.
        keys: it may be typed into.

    Raises:
        ConfigError: the sources cannot be shown together, or what is asked makes no sense there.
        GuestmapError: a file cannot be read, or there cannot be such a machine.
    """
    from guestmap.qmp.client import parse_target

    targets = [parse_target(source) for source in sources]
    machines = [own_machine(source) for source in sources]
    boots = [own for own in machines if own is not None and own.state == BOOT]
    if len(sources) > 1 and (boots or any(targets)):
        raise ConfigError("serve shows one running machine, or any number of files")
    target = targets[0]
    if interval is not None and target is None:
        raise ConfigError("--interval is for a running machine: nothing else is looked at again")
    if keys and target is None:
        raise ConfigError("--keys is for a running machine: what serve boots takes keys anyway")
    if boots:
        film.opens_at, film.from_start = _words(boots[0].moment), True
        return of_boot(film, _config(boots[0], wishes, sources[0]), wishes)
    if wishes != BootWishes():
        raise ConfigError(
            "--until, --bios, --option-rom, --restore, --vga, --drive, --disk, --cdrom, --trace,"
            " --stop-at and --flow are for 'boot': nothing else runs"
        )
    if target is not None:
        return of_peer(film, target, interval or INTERVAL_S, keys=keys)
    for number, source in enumerate(sources):
        film.add(Frame(float(number), source, load_snapshot(source)))
    film.ended = "files"
    return lambda: None


def _words(moment: Moment | None) -> str:
    """Return a moment as a film reads it."""
    if moment is None:
        return ""
    return str(moment.phase) if moment.time_ns is None else f"{moment.time_ns}ns"


def _config(own: OwnMachine, wishes: BootWishes, source: str) -> MachineConfig:
    """Return what the machine of a boot is made from.

    Raises:
        ConfigError: it is a saved one, and yet to be made in some way.
    """
    changed: dict[str, Any] = {}
    if wishes.bios is not None:
        changed["bios"] = wishes.bios
    if wishes.option_roms:
        changed["option_roms"] = wishes.option_roms
    if wishes.vga:
        changed["vga"] = wishes.vga
    if drives := drives_asked(wishes):
        changed["drives"] = drives
    if wishes.restore is not None and (changed or own.config != _plain_config()):
        raise ConfigError(
            "--restore makes the machine that was saved: leave out -m, -M, --bios, --option-rom,"
            f" --vga, drives, and what stands behind 'boot' in {source!r}"
        )
    return replace(own.config, **changed)


def _plain_config() -> MachineConfig:
    plain = own_machine(BOOT)
    assert plain is not None
    return plain.config


def of_boot(film: Film, config: MachineConfig, wishes: BootWishes) -> Callable[[], None]:
    """Return what boots firmware, or goes on with a saved machine; each change is a frame.

    Raises:
        GuestmapError: there cannot be such a machine, or not one that is traced.
    """
    from guestmap.cli.boot_saved import is_there, make_machine
    from guestmap.cli.flow_spans import FlowSpans
    from guestmap.cli.screen.served import ServedScreen
    from guestmap.cli.tracing import Tracing
    from guestmap.machine.flow.records import FlowEvent
    from guestmap.machine.timeline import Timeline

    tracing = Tracing(wishes)
    timeline: Timeline | None = None
    spans = FlowSpans(film)

    def observe(event: Event) -> None:
        if timeline is not None:
            _hear(film, timeline, event)
        if isinstance(event, FlowEvent):
            spans.hear(event)

    vm = make_machine(config, wishes.restore, "", observe)
    screen = None if vm.board.display is None else ServedScreen(vm)
    film.screen = screen
    is_new = wishes.restore is None
    begins = (0, "at reset") if is_new else (vm.board.clock.now_ns(), "as it was saved")
    timeline = Timeline(vm.board.system, begins=begins)
    film.add(Frame(begins[0] / 1e9, begins[1], timeline.entries[0].snapshot))
    tracing.begin(vm)
    if wishes.flow:
        from guestmap.machine.flow.following import follow

        vm.flow = follow(vm)
    goes_on = not is_there(vm, wishes.until)

    def run() -> None:
        with vm, screen or nullcontext():
            if goes_on:
                vm.run(until=frozenset((wishes.until, Phase.HALT)))
            tracing.refuse_unmet(vm)
            _tell_where_it_stopped(film, vm)
        film.ended = film.ended or f"the machine is {vm.state}"

    return run


def _tell_where_it_stopped(film: Film, vm: VirtualMachine) -> None:
    """List the registers, where the machine has stopped at an access."""
    stopped = vm.trace.stopped
    if stopped is None:
        return
    from guestmap.monitor.hmp.registers import registers_text

    for line in registers_text(vm.vcpu).splitlines():
        film.note(stopped.time_ns / 1e9, line)
    film.ended = "the machine was stopped at an access"


def _hear(film: Film, timeline: Timeline, event: Event) -> None:
    """Have a film show an event."""
    from guestmap.cli.flow import flow_line
    from guestmap.cli.tracing import access_line
    from guestmap.machine import LogLine, PhaseChange, TracedAccess
    from guestmap.machine.flow.records import FlowEvent
    from guestmap.view.film import FLOW

    entry = timeline.hear(event)
    if entry is not None:
        film.add(Frame(entry.time_ns / 1e9, entry.cause, entry.snapshot))
    elif isinstance(event, PhaseChange):
        film.mark(str(event.phase), event.time_ns / 1e9)
    elif isinstance(event, LogLine):
        film.note(event.time_ns / 1e9, event.text)
    elif isinstance(event, TracedAccess):
        film.note(event.time_ns / 1e9, access_line(event))
    elif isinstance(event, FlowEvent):
        film.note(event.time_ns / 1e9, f"{FLOW} {flow_line(event)}")
    film.dropped = timeline.dropped


def of_peer(film: Film, target: Target, interval: float, *, keys: bool) -> Callable[[], None]:
    """Return what looks at a running machine again and again; each change is a frame."""
    from guestmap.cli.screen.dumped import DumpFile
    from guestmap.cli.screen.peer import PeerScreen
    from guestmap.inspect.ask.diff import diff
    from guestmap.inspect.sources.live import Attachment
    from guestmap.inspect.sources.live.watching import Watcher
    from guestmap.qmp.client import Keyboard, Monitor, TcpTarget, open_channel
    from guestmap.view.web_access import is_loopback

    start = time.monotonic()
    screen = PeerScreen(lambda why: film.note(time.monotonic() - start, why), takes_keys=keys)
    if isinstance(target, TcpTarget) and not is_loopback(target.host):
        film.note(
            0.0, f"no picture of its screen: {target} is not this host, where it would write one"
        )
    else:
        film.screen = screen

    def poll() -> None:
        channel = open_channel(target)
        keyboard = Keyboard(channel) if keys else None
        with Attachment(Monitor(channel)) as machine, DumpFile(machine.monitor) as file:
            watcher = Watcher(machine)
            film.add(Frame(0.0, f"{machine.source} as it was found", watcher.snapshot))
            while True:
                screen.attend(file, keyboard, interval)
                seen = watcher.look()
                if seen.before is not None and seen.after is not None:
                    causes = "; ".join(cause.text for cause in diff(seen.before, seen.after).causes)
                    film.add(Frame(time.monotonic() - start, causes, seen.after))

    return poll
