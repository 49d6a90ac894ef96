"""Running the machine of ``guestmap boot``: until a phase, or for whoever manages it."""

from __future__ import annotations

import signal
from collections.abc import Collection
from typing import TYPE_CHECKING

from rich.console import Console

from guestmap.base import ConfigError
from guestmap.base.interrupt import Deferral
from guestmap.machine import Phase, VirtualMachine

if TYPE_CHECKING:
    from guestmap.monitor import Address

INTERRUPTED = 128 + signal.SIGINT
"""Exit status after Ctrl-C, as shells have it."""

_LOOK_S = 0.1


def run_until(vm: VirtualMachine, until: Phase) -> int:
    """Run the machine; return the exit status: not 0 where Ctrl-C ended it."""
    try:
        vm.run(until=until)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def managed_at(texts: Collection[str], *, paused: bool) -> tuple[Address, ...]:
    """Return where ``--qmp`` asks to listen, before anything else is done.

    Raises:
        ConfigError, UnsupportedError: an address that cannot be; nobody could end the pause.
    """
    if not texts:
        if paused:
            raise ConfigError("--paused needs --qmp: nobody else can let the machine go on")
        return ()
    from guestmap.monitor import parse_address

    return tuple(parse_address(each) for each in texts)


def run_managed(
    vm: VirtualMachine, addresses: tuple[Address, ...], console: Console, *, paused: bool
) -> int:
    """Run the machine for those who manage it; return the exit status: not 0 after a signal.

    As with QEMU, SIGTERM and SIGHUP end the machine in order, as Ctrl-C does: clients are told, and
    no socket is left behind.
    """
    from guestmap.monitor import MonitorServer

    with Deferral() as told, MonitorServer(vm, addresses) as server:
        for address in server.addresses:
            console.print(f"QMP at {address}", markup=False)
        vm.start(paused=paused)
        while not vm.wait(_LOOK_S):
            if told.requested:
                vm.quit("host-signal")
    return 128 + told.number if told.requested else 0
