"""Where a map comes from: a machine of our own, or whatever ``guestmap.inspect`` reads."""

from __future__ import annotations

import os
import re
import stat
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import ConfigError
from guestmap.cli.output import warn
from guestmap.cli.patience import patience
from guestmap.inspect.sources.open import load_snapshot as load_foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from guestmap.inspect import Snapshot
    from guestmap.machine import MachineConfig
    from guestmap.machine.board import Board
    from guestmap.machine.moments import Moment
    from guestmap.machine.timeline import Timeline

RESET, BOOT = "reset", "boot"
_OWN = re.compile(
    r"(?P<ram>.*?)(?:(?:^|,)at=(?P<at>[^,]*))?(?:(?:^|,)machine=(?P<board>.*))?", re.DOTALL
)
"""What may stand behind the colon."""

MAGIC = b"guestmap machine"
"""What the file of a saved machine begins with, see :mod:`guestmap.machine.saved.format`."""


def is_own(source: str) -> bool:
    """Tell whether a source is a machine of guestmap's own."""
    return source.partition(":")[0] in {RESET, BOOT}


class OwnMachine(NamedTuple):
    """A machine of guestmap's own.

    Attributes:
        state: ``reset``, or ``boot``.
        config: what it is made from.
        moment: of the boot; None for its end.
    """

    state: str
    config: MachineConfig
    moment: Moment | None = None


def own_machine(source: str) -> OwnMachine | None:
    """Return the machine of a source like ``boot:4G``, or None.

    Behind the RAM a moment of the boot may stand, and the board with its options:
    ``boot:4G,at=setup``, ``reset:4G,machine=microvm,pit=off``.

    Raises:
        ConfigError: the RAM after the colon is impossible, or the moment, or one of the options.
        UnsupportedError: there is no such board; a board without a CPU cannot boot.
    """
    if not is_own(source):
        return None
    from guestmap.machine import MachineConfig, parse_ram_size, read_machine
    from guestmap.machine.moments import Moment

    state, _, rest = source.partition(":")
    asked = _OWN.fullmatch(rest)
    assert asked is not None
    fields = read_machine(asked["board"] or "pc")
    config = (
        MachineConfig(ram_size=parse_ram_size(asked["ram"]), debugcon=True, **fields)
        if (asked["ram"])
        else MachineConfig.with_default_ram(debugcon=True, **fields)
    )
    if state == BOOT:
        config.board.refuse_to_boot()
    elif asked["at"] is not None:
        raise ConfigError(f"{source!r} is before the first instruction: a moment is one of 'boot'")
    moment = Moment.parse(asked["at"]) if asked["at"] is not None else None
    return OwnMachine(state, config, moment)


def load_snapshot(source: str, *, trees: bool = True, dispatch: bool = False) -> Snapshot:
    """Return the map of a source; see :func:`guestmap.inspect.sources.open.load_snapshot`.

    ``reset`` and ``boot`` (see :func:`own_machine`) are a machine of our own, at the reset vector,
    or after its firmware ran, or at a moment of that. A saved machine is one, too.

    Raises:
        ConfigError, HostError, PeerError, UnsupportedError: it cannot be had; says why.
    """
    own = own_machine(source)
    if own is None and is_saved_machine(source):
        return _of_saved(source)
    if own is None:
        with patience(source):
            snapshot = load_foreign(source, trees=trees, dispatch=dispatch)
        for note in snapshot.notes:
            warn(f"note: {note}")
        return snapshot
    from guestmap.inspect import Snapshot
    from guestmap.machine import VirtualMachine, make_board
    from guestmap.machine.moments import END

    state, config, moment = own
    if state == RESET:
        return Snapshot.of(make_board(config).system, source="guestmap at reset")
    with VirtualMachine(config) as vm:
        (moment or END).reach(vm)
        return Snapshot.of(vm.board.system, source=_at(moment))


def load_snapshots(
    sources: Sequence[str], *, trees: bool = True, dispatch: bool = False
) -> list[Snapshot]:
    """Return the maps of several sources; moments of one machine's boot come from one run.

    Raises:
        ConfigError, HostError, PeerError, UnsupportedError: see :func:`load_snapshot`.
    """
    owns = [own_machine(source) for source in sources]
    boots = [own for own in owns if own is not None and own.state == BOOT]
    timelines: list[tuple[MachineConfig, Timeline]] = []
    found = []
    for source, own in zip(sources, owns, strict=True):
        if own is None or [each.config for each in boots].count(own.config) < 2:
            found.append(load_snapshot(source, trees=trees, dispatch=dispatch))
        else:
            from guestmap.machine.moments import END

            snapshot = _timeline(own.config, timelines).at(own.moment or END)
            found.append(replace(snapshot, source=_at(own.moment)))
    return found


def _timeline(config: MachineConfig, known: list[tuple[MachineConfig, Timeline]]) -> Timeline:
    from guestmap.machine.timeline import Timeline

    for other, timeline in known:
        if other == config:
            return timeline
    known.append((config, Timeline.of_boot(config)))
    return known[-1][1]


def _at(moment: Moment | None) -> str:
    """Return what a map of a boot of guestmap's own is called."""
    return f"guestmap {'after SeaBIOS' if moment is None else f'at {moment}'}"


@contextmanager
def opened_machine(source: str) -> Iterator[Board | None]:
    """Have the machine of guestmap's own that a source is, for the length of a ``with``.

    None for any other source. Raises what :func:`load_snapshot` does.
    """
    own = own_machine(source)
    if own is None and not is_saved_machine(source):
        yield None
        return
    if own is None:
        from guestmap.machine.saved import restore

        with restore(Path(source), engine="none", looking=True) as vm:
            yield vm.board
        return
    from guestmap.machine import VirtualMachine
    from guestmap.machine.moments import END

    state, config, moment = own
    with VirtualMachine(config, engine="none" if state == RESET else "unicorn") as vm:
        if state == BOOT:
            (moment or END).reach(vm)
        yield vm.board


def is_saved_machine(source: str) -> bool:
    """Tell whether a source is the file of a saved machine, by its first bytes."""
    with suppress(OSError, ValueError), open(source, "rb") as file:
        return stat.S_ISREG(os.fstat(file.fileno()).st_mode) and file.read(len(MAGIC)) == MAGIC
    return False


def _of_saved(source: str) -> Snapshot:
    from guestmap.inspect import Snapshot
    from guestmap.machine.saved import restore

    with restore(Path(source), engine="none", looking=True) as vm:
        phase = f", in phase {vm.phases.phase}" if vm.phases.phase is not None else ""
        return Snapshot.of(vm.board.system, source=f"{source}, a saved machine{phase}")
