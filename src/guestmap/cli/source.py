"""Where a map comes from: a machine of our own, or whatever ``guestmap.inspect`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.cli.output import warn
from guestmap.inspect.source import load_snapshot as load_foreign

if TYPE_CHECKING:
    from guestmap.inspect import Snapshot
    from guestmap.machine import MachineConfig

RESET, BOOT = "reset", "boot"
_DEFAULT_RAM = "128M"


def own_machine(source: str) -> tuple[str, MachineConfig] | None:
    """Return the state (reset or boot) and the machine of a source like ``boot:4G``, or None.

    Raises:
        ConfigError: the RAM after the colon is impossible.
    """
    state, _, ram = source.partition(":")
    if state not in {RESET, BOOT}:
        return None
    from guestmap.machine import MachineConfig, parse_ram_size

    return state, MachineConfig(ram_size=parse_ram_size(ram or _DEFAULT_RAM), debugcon=True)


def load_snapshot(source: str, *, trees: bool = True, dispatch: bool = False) -> Snapshot:
    """Return the map of a source; see :func:`guestmap.inspect.source.load_snapshot`.

    ``reset`` and ``boot`` (or ``reset:RAM``, ``boot:RAM``) are a PC of our own, at the reset vector
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
    from guestmap.machine import Pc, Phase, VirtualMachine

    state, config = own
    if state == RESET:
        return Snapshot.of(Pc(config).system, source="guestmap at reset")
    with VirtualMachine(config) as vm:
        vm.run(until=Phase.HALT)
        return Snapshot.of(vm.board.system, source="guestmap after SeaBIOS")
