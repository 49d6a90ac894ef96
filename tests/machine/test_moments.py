"""A moment of a boot: a phase as it begins, or a time."""

from __future__ import annotations

import pytest

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.machine import Event, MachineConfig, Phase, VirtualMachine
from guestmap.machine.moments import END, Moment
from guestmap.memory.map import CommitRecord

PC = MachineConfig(debugcon=True)
Range = tuple[int, int, str]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("setup", Moment(phase=Phase.SETUP)),
        ("SETUP", Moment(phase=Phase.SETUP)),
        ("halt", END),
        ("61ms", Moment(time_ns=61_000_000)),
        ("0s", Moment(time_ns=0)),
    ],
)
def test_a_moment_is_read(text: str, moment: Moment) -> None:
    assert Moment.parse(text) == moment


@pytest.mark.parametrize("text", ["", "later", "61", "-1ms", "setup2"])
def test_what_is_no_moment_is_refused_with_what_there_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"no moment of a boot.*preinit.*61ms"):
        Moment.parse(text)


def shown(vm: VirtualMachine) -> list[Range]:
    return [(each.start, each.end, each.region.name) for each in vm.board.memory.view]


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("phase", [Phase.RESET, Phase.INIT, Phase.BOOT, Phase.HALT])
def test_a_phase_is_reached_as_it_begins(phase: Phase) -> None:
    with VirtualMachine(PC) as vm:
        Moment(phase=phase).reach(vm)
        assert vm.phases.phase is phase


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("time_ms", [0, 20, 60_000])
def test_a_time_shows_the_map_of_all_commits_before_it(time_ms: int) -> None:
    """Those of the same run: another one may be faster."""
    views: list[tuple[int, list[Range]]] = []

    def observe(event: Event) -> None:
        if isinstance(event, CommitRecord):
            views.append((event.time_ns, shown(vm)))

    with VirtualMachine(PC, observer=observe) as vm:
        views.append((0, shown(vm)))
        moment = Moment(time_ns=time_ms * 1_000_000)
        moment.reach(vm)
        assert shown(vm) == views[-1][1]
        assert all(time_ns <= vm.board.clock.now_ns() for time_ns, _ in views)
        if time_ms < 1000:
            assert vm.board.clock.now_ns() >= moment.time_ns  # type: ignore[operator]
            assert vm.phases.phase is not Phase.HALT
        else:  # nothing more comes: nobody waits for the time to pass
            assert vm.phases.phase is Phase.HALT
            assert vm.board.clock.now_ns() < moment.time_ns  # type: ignore[operator]
        assert Snapshot.of(vm.board.system).views


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_phase_that_does_not_come_is_told() -> None:
    with VirtualMachine(PC) as vm, pytest.raises(PeerError, match="'runtime'"):
        Moment(phase=Phase.RUNTIME).reach(vm)
