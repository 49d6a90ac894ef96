"""What the program does: makes the machine, serves its monitors, runs it until its end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import guestmap
from guestmap.base import GuestmapError, printable
from guestmap.base.collector import collect_from_now_on
from guestmap.base.interrupt import Deferral
from guestmap.machine.vm import VirtualMachine
from guestmap.monitor import MonitorServer
from guestmap.monitor.claim import claim_called
from guestmap.system.background import Background
from guestmap.system.command_line import Given, read_words
from guestmap.system.machine_line import described
from guestmap.system.option_table import listing
from guestmap.system.pid_file import pid_file
from guestmap.system.probe.claimed import NEWEST
from guestmap.system.wires import printed, socket_of, wired

if TYPE_CHECKING:
    from guestmap.monitor.claim import QemuClaim
    from guestmap.system.machine_line import Described

_LOOK_S: Final = 0.1
_FAILURE: Final = 1
PROGRAM: Final = "guestmap-system-x86_64"


def run(words: Sequence[str], claim: str = NEWEST) -> int:
    """Run the program; return its exit status: what is wrong is said in one line on stderr.

    Args:
        words: the command line, without the program's name.
        claim: the QEMU that its monitors say they are.
    """
    try:
        given = read_words(words)
        if (text := _only_told(given)) is not None:
            print(text, end="")
            return 0
        asked = described(given)
        background = Background.enter() if asked.daemonize else Background()
        return _run(asked, claim_called(claim), background)
    except GuestmapError as error:
        print(f"{PROGRAM}: {printable(str(error))}", file=sys.stderr)
        return _FAILURE


def _only_told(given: Given) -> str | None:
    """Return what is to be printed, where nothing is to be run."""
    if "version" in given:
        return f"{PROGRAM}: guestmap {guestmap.__version__}, with the command line of QEMU\n"
    if "h" in given or "help" in given:
        return f"usage: {PROGRAM} [options]\n\n{listing()}"
    return None


def _run(asked: Described, claim: QemuClaim, background: Background) -> int:
    """Run the machine; return the exit status: 0 also after a signal, as QEMU does."""
    with (
        Deferral() as signals,
        VirtualMachine(asked.config, engine=asked.engine) as vm,
        wired(vm, asked.serial) as wires,
        printed(vm, asked.parallel) as printers,
        MonitorServer(
            vm,
            asked.qmp,
            listeners=[socket_of(each) for each in asked.monitors],
            characters=lambda: [each.endpoint() for each in (*wires, *printers)],
            claim=claim,
        ),
        pid_file(asked.pid_file),
    ):
        collect_from_now_on()
        vm.stays_off, vm.awaits_another = asked.stays_off, asked.awaits_another
        vm.start(paused=asked.paused or asked.awaits_another)
        background.ready()
        while not vm.wait(_LOOK_S):
            if signals.requested:
                vm.quit("host-signal")
    return 0
