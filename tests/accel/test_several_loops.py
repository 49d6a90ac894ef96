"""Several CPUs run as one: who starts whom, who waits, and what ends the run of all."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from guestmap.accel import Exit, ExitReason, RunLoop
from guestmap.accel.exits import KICKED
from guestmap.accel.several import SeveralLoops
from guestmap.accel.turn import SharedTurn
from guestmap.accel.types import Segment, SegmentRegister
from guestmap.accel.vcpu import Activity, Vcpu
from guestmap.accel.vcpu_state import Fpu, VcpuState
from guestmap.base import HostClock

if TYPE_CHECKING:
    from collections.abc import Callable

WAIT_S = 10
EFER, PAT = 0xC000_0080, 0x277
CS = [*SegmentRegister].index(SegmentRegister.CS)
CD, NW, PE = 1 << 30, 1 << 29, 1


def after_reset() -> VcpuState:
    segments = [(0, 0, 0xFFFF, 0x9300)] * 10
    segments[CS] = (0xF000, 0xFFFF0000, 0xFFFF, 0x9B00)
    return VcpuState(
        general=[0] * 16, rip=0xFFF0, rflags=2, segments=segments,
        control={0: CD | NW | 0x10, 2: 0, 3: 0, 4: 0, 8: 0}, debug={7: 0x400},
        msrs={EFER: 0, PAT: 6}, fpu=Fpu(control=0x40, status=0, tag=0, registers=[(0, 0)] * 8),
        mxcsr=0x1F80, vectors=[bytes(16)] * 16,
    )  # fmt: skip


class Player(Vcpu):
    """A CPU whose guest is a function, called at each entry."""

    def __init__(self, number: int, guest: Callable[[Player], Exit]) -> None:
        super().__init__("player", number)
        self.state = after_reset()
        self.guest = guest
        self.activity = Activity.ACTIVE
        self.left = threading.Event()
        self.threads: set[int] = set()
        self.resets = 0

    def prepare(self):
        return self.activity

    def run(self):
        self.threads.add(threading.get_ident())
        with self.turn.while_it_executes():
            return self.guest(self)

    def kick(self):
        self.left.set()

    def spins(self) -> Exit:
        """Be inside until it is kicked."""
        assert self.left.wait(WAIT_S)
        self.left.clear()
        return KICKED

    def save(self):
        state = self.state
        return msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=VcpuState)

    def load(self, state):
        self.state = state
        self.notify()

    def reset(self):
        self.check_idle()
        self.resets += 1
        self.state = after_reset()

    def knows_interrupts(self):
        return False

    def set_a20(self, enabled): ...

    def read_register(self, register):
        return 0

    def write_register(self, register, value): ...

    def read_segment(self, register):
        return Segment(0, 0, 0)

    def write_segment(self, register, segment): ...


def loops_of(*guests) -> SeveralLoops:
    made = SeveralLoops([Player(n, guest) for n, guest in enumerate(guests)], HostClock())
    turn = SharedTurn()
    for each in made.loops:
        each.turn = turn
    return made


def run(loops: RunLoop) -> Exit:
    """Run them in a thread, which must come to an end."""
    ends = []
    thread = threading.Thread(target=lambda: ends.append(loops.run()))
    thread.start()
    thread.join(WAIT_S)
    assert not thread.is_alive()
    return ends[0]


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def never(_player):
    raise AssertionError("it was not started")


def test_all_but_the_first_wait_until_they_are_started():
    seen = []

    def first(player: Player) -> Exit:
        loops.loops[1].startup(0x9F)
        until(lambda: bool(seen))
        return Exit(ExitReason.SHUTDOWN)

    def second(player: Player) -> Exit:
        seen.append(player.state)
        return player.spins()

    loops = loops_of(first, second, never)
    assert run(loops).reason is ExitReason.SHUTDOWN
    (state, *_) = seen
    assert state.segments[CS] == (0x9F00, 0x9F000, 0xFFFF, 0x9B00)
    assert state.rip == 0
    others = [each.vcpu.threads for each in loops.others]
    assert others[0] - loops.vcpu.threads, "a thread of its own"
    assert others[1] == set()


def test_init_makes_a_cpu_wait_and_keeps_caches_and_model_specific_registers():
    rounds: dict[int, VcpuState] = {}

    def first(player: Player) -> Exit:
        loops.loops[1].startup(1)
        until(lambda: len(rounds) == 1)
        loops.loops[1].init()
        loops.loops[1].startup(2)  # before the CPU has looked
        until(lambda: len(rounds) == 2)
        loops.loops[1].startup(3)
        assert loops.others[0].start_up._vector is None, "it does not wait"
        return Exit(ExitReason.SHUTDOWN)

    def second(player: Player) -> Exit:
        page = player.state.segments[CS][0] >> 8
        if page in rounds:
            return player.spins()
        rounds[page] = player.save()
        player.state.control[0], player.state.rflags = PE | CD, 0x202
        player.state.msrs = {EFER: 0x500, PAT: 7}
        player.state.general[3] = 5
        return player.spins()

    loops = loops_of(first, second)
    run(loops)
    assert [*rounds] == [1, 2]
    again = rounds[2]
    assert again.control[0] == CD | 0x10, "NW was off, and stays so; paging and protection end"
    assert (again.rflags, again.general[3]) == (2, 0)
    assert again.msrs == {EFER: 0, PAT: 7}


def test_init_has_the_first_begin_at_its_reset_vector():
    entered = []

    def first(player: Player) -> Exit:
        entered.append(player.state.rip)
        if len(entered) == 1:
            player.state.rip = 5
            loops.init()
            return KICKED
        return Exit(ExitReason.SHUTDOWN)

    loops = loops_of(first, never)
    run(loops)
    assert entered == [0xFFF0, 0xFFF0]


def test_what_ends_one_ends_all():
    def first(player: Player) -> Exit:
        loops.loops[1].startup(1)
        return player.spins()

    loops = loops_of(first, lambda _: Exit(ExitReason.ERROR, "it broke"))
    assert run(loops) == Exit(ExitReason.ERROR, "it broke")
    loops = loops_of(first, lambda player: player.spins())
    threading.Timer(0.05, loops.stop).start()
    assert run(loops).reason is ExitReason.STOPPED
    assert not [each for each in threading.enumerate() if each.name.startswith("guestmap-cpu-")]
    threading.Timer(0.05, loops.request_reset).start()
    assert run(loops).reason is ExitReason.RESET, "the stop of before is over for all"


def test_what_a_device_raises_in_one_is_raised_for_all():
    def first(player: Player) -> Exit:
        loops.loops[1].startup(1)
        return player.spins()

    def second(player: Player) -> Exit:
        raise ZeroDivisionError("in a device")

    loops, raised = loops_of(first, second), []

    def run_it() -> None:
        try:
            loops.run()
        except ZeroDivisionError as error:
            raised.append(error)

    thread = threading.Thread(target=run_it)
    thread.start()
    thread.join(WAIT_S)
    assert [str(each) for each in raised] == ["in a device"]


@pytest.mark.parametrize("last", [0, 1])
def test_all_are_at_rest_when_the_last_halts_for_good(last):
    """A first CPU that waits for good is no end while another one may wake it."""

    def first(player: Player) -> Exit:
        loops.loops[1].startup(1)
        if last == 0:
            until(lambda: loops.others[0].rests)
        player.activity = Activity.HALTED_FOR_GOOD
        return Exit(ExitReason.HALTED)

    def second(player: Player) -> Exit:
        if last == 1:
            until(lambda: loops.rests)
        player.activity = Activity.HALTED_FOR_GOOD
        return Exit(ExitReason.HALTED)

    loops = loops_of(first, second, never)
    assert run(loops).reason is ExitReason.HALTED


def test_a_reset_has_all_but_the_first_wait_again():
    def first(player: Player) -> Exit:
        loops.loops[1].startup(1)
        until(lambda: bool(loops.others[0].vcpu.threads))
        return Exit(ExitReason.SHUTDOWN)

    loops = loops_of(first, lambda player: player.spins())
    run(loops)
    assert not loops.others[0].start_up.waits
    loops.reset()
    assert [each.start_up.waits for each in loops.loops] == [False, True]
    assert [each.vcpu.resets for each in loops.loops] == [1, 1]
    assert [each.save().waits_for_startup for each in loops.loops] == [False, True]


def test_a_cpu_goes_on_as_it_was_saved():
    loops = loops_of(never, never)
    state = after_reset()
    loops.others[0].load(state)
    assert not loops.others[0].start_up.waits
    state.waits_for_startup = True
    loops.others[0].load(state)
    assert loops.others[0].start_up.waits
