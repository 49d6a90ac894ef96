"""What ``guestmap boot`` traces: asked for, told to people, and as values for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guestmap.accel import Register, SegmentRegister
from guestmap.base import PeerError, printable
from guestmap.machine.trace import WORDS, Trace, TraceRange, access_to_json

if TYPE_CHECKING:
    from guestmap.accel import Vcpu
    from guestmap.cli.boot_options import BootOptions
    from guestmap.cli.films import BootWishes
    from guestmap.machine import TracedAccess, VirtualMachine


class Tracing:
    """What was asked for, read before anything else is done.

    Raises:
        ConfigError: a range that is none.
    """

    def __init__(self, options: BootOptions | BootWishes) -> None:
        self._told = [TraceRange.parse(each) for each in options.trace]
        self._stops = [TraceRange.parse(each) for each in options.stop_at]
        self._given = options.stop_at

    def begin(self, vm: VirtualMachine) -> None:
        """Begin.

        Raises:
            UnsupportedError: the engine does not tell what its guest does.
        """
        for each in self._told:
            vm.trace.add(each)
        for each in self._stops:
            vm.trace.add(each, stops=True)

    def refuse_unmet(self, vm: VirtualMachine) -> None:
        """Say that the guest did not do what it was to be stopped at.

        Raises:
            PeerError: so it is.
        """
        if self._stops and vm.trace.stopped is None:
            raise PeerError(f"the guest does not come to {' or '.join(self._given)}")


def access_line(traced: TracedAccess) -> str:
    """Return an access in a line."""
    access = traced.access
    who = f"{access.region} @{access.offset:x}" if access.region else "nobody"
    value = "" if access.value is None else f" = 0x{access.value:0{2 * access.size}x}"
    return (
        f"{WORDS[access.kind]:7} {access.size} B at {access.address:016x}{value}  {printable(who)}"
        f"  {'by' if access.exact else 'before'} {access.cs:04x}:{access.ip:08x}"
    )


def trace_to_json(trace: Trace, vcpu: Vcpu) -> dict[str, Any]:
    """Return what was traced as JSON-able values."""
    kept, stopped = trace.since(0), trace.stopped
    return {
        "forgotten": trace.total - len(kept),
        "accesses": [_traced(each) for each in kept],
        "stopped": None if stopped is None else _traced(stopped),
        "registers": None if stopped is None else _registers(vcpu),
    }


def _traced(traced: TracedAccess) -> dict[str, Any]:
    return {"time_s": traced.time_ns / 1e9, **access_to_json(traced.access)}


def _registers(vcpu: Vcpu) -> dict[str, Any]:
    segments = {each.value: vcpu.read_segment(each) for each in SegmentRegister}
    return {
        "general": {each.value: vcpu.read_register(each) for each in Register},
        "segments": {
            name: {"selector": each.selector, "base": each.base, "limit": each.limit}
            for name, each in segments.items()
        },
    }
