"""Where a map comes from: a machine of our own, or whatever ``guestmap.inspect`` reads."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from guestmap.cli.output import warn
from guestmap.inspect.source import load_snapshot as load_foreign

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from guestmap.machine import MachineConfig

RESET, BOOT = "reset", "boot"
_OWN = re.compile(r"(?P<ram>.*?)(?:(?:^|,)machine=(?P<board>.*))?", re.DOTALL)
"""What may stand behind the colon."""


def is_own(source: str) -> bool:
    """Tell whether a source is a machine of guestmap's own."""
    return source.partition(":")[0] in {RESET, BOOT}


def own_machine(source: str) -> tuple[str, MachineConfig] | None:
    """Return the state (reset or boot) and the machine of a source like ``boot:4G``, or None.

    Behind the RAM the board may stand, with its options: ``reset:4G,machine=microvm,pit=off``.

    Raises:
        ConfigError: the RAM after the colon is impossible, or one of the options.
        UnsupportedError: there is no such board; a board without a CPU cannot boot.
    """
    if not is_own(source):
        return None
    from guestmap.machine import MachineConfig, parse_ram_size, read_machine

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
    return state, config


def load_snapshot(source: str, *, trees: bool = True, dispatch: bool = False) -> Snapshot:
    """Return the map of a source; see :func:`guestmap.inspect.source.load_snapshot`.

    ``reset`` and ``boot`` (see :func:`own_machine`) are a machine of our own, at the reset vector
    or after its firmware ran.

    Raises:
        ConfigError, HostError, PeerError, UnsupportedError: it cannot be had; says why.
    """
    own = own_machine(source)
    if own is None:
        snapshot = load_foreign(source, trees=trees, dispatch=dispatch)
        for note in snapshot.notes:
            warn(f"note: {note}")
        return snapshot
    from guestmap.inspect import Snapshot
    from guestmap.machine import Phase, VirtualMachine, make_board

    state, config = own
    if state == RESET:
        return Snapshot.of(make_board(config).system, source="guestmap at reset")
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        return Snapshot.of(vm.board.system, source="guestmap after SeaBIOS")
