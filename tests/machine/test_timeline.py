"""A timeline: one run answers for any of its moments."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import msgspec
import pytest

from guestmap.base import PeerError, UnsupportedError
from guestmap.inspect import Snapshot
from guestmap.inspect.map.sharing import Sharing
from guestmap.machine import Event, MachineConfig, Phase, VirtualMachine
from guestmap.machine.moments import END, Moment
from guestmap.machine.timeline import Timeline
from guestmap.memory import MemorySystem
from guestmap.memory.map import CommitRecord

PC = MachineConfig(debugcon=True)


@pytest.fixture(scope="module")
def run() -> tuple[Timeline, list[tuple[int, Snapshot]]]:
    """A boot's timeline, and what was seen in the same run by itself."""
    seen: list[tuple[int, Snapshot]] = []

    def observe(event: Event) -> None:
        timeline.hear(event)
        if isinstance(event, CommitRecord):
            seen.append((event.time_ns, Snapshot.of(vm.board.system)))

    with VirtualMachine(PC, observer=observe) as vm:
        timeline = Timeline(vm.board.system)
        seen.append((0, Snapshot.of(vm.board.system)))
        vm.run(until=Phase.HALT)
    return timeline, seen


@pytest.mark.unicorn
@pytest.mark.seabios
def test_each_time_has_the_map_of_all_commits_until_then(
    run: tuple[Timeline, list[tuple[int, Snapshot]]],
) -> None:
    timeline, seen = run
    assert len(seen) > 5
    for time_ns, _ in seen:
        for when in (time_ns, time_ns + 1, max(0, time_ns - 1)):
            expected = [snapshot for came, snapshot in seen if came <= when][-1]
            assert timeline.at(Moment(time_ns=when)) == expected
    assert timeline.at(Moment(time_ns=10**12)) == seen[-1][1]


@pytest.mark.unicorn
@pytest.mark.seabios
@pytest.mark.parametrize("phase", [Phase.RESET, Phase.INIT, Phase.SETUP, Phase.BOOT, Phase.HALT])
def test_a_phase_has_the_map_that_a_run_to_it_has(
    run: tuple[Timeline, list[tuple[int, Snapshot]]], phase: Phase
) -> None:
    with VirtualMachine(PC) as vm:
        Moment(phase=phase).reach(vm)
        assert run[0].at(Moment(phase=phase)) == Snapshot.of(vm.board.system)


@pytest.mark.unicorn
@pytest.mark.seabios
def test_maps_share_what_is_the_same_in_them(
    run: tuple[Timeline, list[tuple[int, Snapshot]]],
) -> None:
    timeline, seen = run
    maps = [each.snapshot for each in timeline.entries]
    kept = {id(region) for each in maps for region in each.regions}
    assert len(kept) < sum(len(each.regions) for each in maps) / 3
    assert maps == [snapshot for _, snapshot in seen]


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_phase_that_does_not_come_is_told() -> None:
    timeline = Timeline.of_boot(PC, until=Phase.INIT)
    assert Phase.INIT in timeline.phases
    assert Phase.SETUP not in timeline.phases
    with pytest.raises(PeerError, match="'setup'"):
        timeline.at(Moment(phase=Phase.SETUP))


def _changes(memory: MemorySystem, timeline: Timeline, many: int) -> None:
    root = memory.container("root", 1 << 20)
    memory.address_space("memory", root)
    memory.subscribe(timeline.hear)
    for number in range(many):
        root.add_subregion(number * 4096, memory.io(f"io{number}", 4096, None))


def test_a_timeline_is_no_longer_than_it_may_be() -> None:
    with MemorySystem(now_ns=count(1).__next__) as memory:
        timeline = Timeline(memory, most=3)
        _changes(memory, timeline, 10)
        assert len(timeline.entries) == 3
        assert timeline.dropped > 0
        assert timeline.at(Moment(time_ns=0)).regions == ()
        for late in (Moment(time_ns=1 << 62), END):
            with pytest.raises(UnsupportedError, match="more often than 3 times"):
                timeline.at(late)


def test_shared_snapshots_are_equal_and_of_the_same_parts() -> None:
    with MemorySystem() as memory:
        timeline = Timeline(memory)
        _changes(memory, timeline, 3)
        taken, sharing = Snapshot.of(memory), Sharing()
        first, second = sharing.shared(taken), sharing.shared(Snapshot.of(memory))
        assert first == second == taken
        assert first.regions is second.regions
        assert first.views[0] is second.views[0]
        renamed = msgspec.structs.replace(taken.regions[0], name="other")
        third = sharing.shared(replace(taken, regions=(renamed, *taken.regions[1:])))
        assert third.regions[0].name == "other"
        assert third.regions[1] is first.regions[1]
