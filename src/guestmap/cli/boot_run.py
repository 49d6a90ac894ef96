"""Running the machine of ``guestmap boot``: until a phase, or for whoever manages it."""

from __future__ import annotations

import signal

from rich.console import Console

from guestmap.base.interrupt import Deferral
from guestmap.machine import Phase, VirtualMachine

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


def run_managed(vm: VirtualMachine, addresses: list[str], console: Console, *, paused: bool) -> int:
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
