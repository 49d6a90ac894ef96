"""Running the machine of ``guestmap boot``: until a phase, or for whoever manages it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from guestmap.base import ConfigError, PeerError, UnsupportedError
from guestmap.base.dataclass import dataclass
from guestmap.base.interrupt import Deferral
from guestmap.cli.streams import INTERRUPTED
from guestmap.machine import Event, Phase, PhaseChange, RunState, VirtualMachine

if TYPE_CHECKING:
    from guestmap.cli.boot_options import BootOptions
    from guestmap.cli.boot_told import Silence
    from guestmap.monitor import Address

_LOOK_S = 0.1
_ENDS = {
    RunState.SHUTDOWN: "the machine was switched off",
    RunState.SUSPENDED: "the machine sleeps, and nothing wakes it",
}
"""Why a run is over, by what the machine is doing then."""


def run_until(vm: VirtualMachine, until: Phase) -> int:
    """Run the machine; return the exit status: not 0 where Ctrl-C ended it."""
    try:
        vm.run(until=until)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def refuse_to_stand(vm: VirtualMachine, until: Phase) -> None:
    """Refuse a boot that could only wait: nothing executes the guest, and nobody manages it.

    Raises:
        ConfigError: it is one.
    """
    if vm.accelerator.capabilities.runs_code or until in {Phase.RESET, vm.phases.phase}:
        return
    raise ConfigError(
        f"engine {vm.accelerator.name!r} executes nothing, so this boot would wait for ever: give"
        " --qmp, or another engine"
    )


def refuse_parked(vm: VirtualMachine) -> None:
    """Refuse a machine whose firmware would wait for CPUs that nobody runs.

    Raises:
        UnsupportedError: it has more CPUs than its engine runs.
    """
    there, run = vm.board.cpus, len(vm.vcpus)
    if vm.accelerator.capabilities.runs_code and there > run:
        raise UnsupportedError(
            f"engine {vm.accelerator.name!r} runs {run} CPU, and the firmware would wait for all"
            f" {there}: --engine kvm runs them"
        )


def is_given_up(event: Event) -> bool:
    """Tell whether the firmware now waits for ever: a machine that nobody manages gets no further.

    Timers go on to wake it from its HLT, and it halts again; so no later phase will come.
    """
    return isinstance(event, PhaseChange) and event.phase is Phase.HALT


def refuse_unreached(vm: VirtualMachine, until: Phase | None, *, is_stopped: bool) -> None:
    """Say why a run ended, where that is not what was asked for.

    Args:
        vm: the machine, after its run.
        until: the phase that was asked for; None: whatever comes.
        is_stopped: it was stopped for another reason that was asked for.

    Raises:
        PeerError: the firmware does not enter the phase any more.
        UnsupportedError: the engine could not go on.
    """
    if vm.state is RunState.INTERNAL_ERROR:
        raise UnsupportedError(f"the CPU cannot go on: {vm.error or 'the engine says no more'}")
    if until is None or is_stopped or vm.phases.phase is until:
        return
    why = _ENDS.get(vm.state, "it halted, and no interrupt that is still to come brings more")
    raise PeerError(f"the firmware does not enter the phase {str(until)!r}: {why}")


@dataclass(frozen=True)
class Managers:
    """Where those who manage the machine come: QMP's clients, and a debugger."""

    qmp: tuple[Address, ...] = ()
    gdb: Address | None = None

    def __bool__(self) -> bool:
        return bool(self.qmp) or self.gdb is not None


def managed_at(options: BootOptions) -> Managers:
    """Return where ``--qmp`` and ``--gdb`` ask to listen, before anything else is done.

    Raises:
        ConfigError, UnsupportedError: an address that cannot be; nobody could end the pause; the
            machine would be stopped both by its managers and by a phase.
    """
    if not options.qmp and not options.gdb:
        if options.paused:
            raise ConfigError(
                "--paused needs --qmp or --gdb: nobody else can let the machine go on"
            )
        return Managers()
    if options.until is not None:
        raise ConfigError(
            "--until is for a machine that nobody manages: leave it out, or --qmp and --gdb"
        )
    from guestmap.monitor import parse_address

    gdb = parse_address(options.gdb) if options.gdb else None
    return Managers(tuple(parse_address(each) for each in options.qmp), gdb)


def run_managed(vm: VirtualMachine, managers: Managers, told: Silence, *, paused: bool) -> int:
    """Run the machine for those who manage it; return the exit status: not 0 after a signal.

    As with QEMU, SIGTERM and SIGHUP end the machine in order, as Ctrl-C does: clients are told, and
    no socket is left behind.
    """
    from guestmap.monitor import MonitorServer

    with Deferral() as signals, MonitorServer(vm, managers.qmp) as server:
        debugged = _debugged(vm, managers.gdb, told)
        for address in server.addresses:
            told.say(f"QMP at {address}")
        vm.start(paused=paused)
        with debugged:  # not before: a debugger that comes stops the machine that runs then
            while not vm.wait(_LOOK_S):
                if signals.requested:
                    vm.quit("host-signal")
    return 128 + signals.number if signals.requested else 0


def _debugged(
    vm: VirtualMachine, address: Address | None, told: Silence
) -> AbstractContextManager[object]:
    """Return a context in which a debugger may come."""
    if address is None:
        return nullcontext()
    from guestmap.monitor.gdb import GdbServer

    server = GdbServer(vm, address)
    told.say(f"GDB at {server.address}")
    return server
