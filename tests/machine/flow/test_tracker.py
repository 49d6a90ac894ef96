"""A firmware's flow, made of what a CPU that is played here shows."""

from __future__ import annotations

from guestmap.accel import SoftwareInterrupt
from guestmap.accel.following import CpuLook
from guestmap.machine.flow.records import (
    Decided,
    Decision,
    FirmwareEntry,
    InterruptsOpen,
    ModeChange,
    StackHop,
    StackKind,
)
from guestmap.machine.flow.tracker import FlowTracker

_RESET, _JUMP = 0xFFFFFFF0, 0xFFFF0
_TOP, _EXTRA, _THREADS = 0x7000, 0xE94B0, 0x6FE8000


class Cpu:
    """A CPU that has a stack pointer, and tells of it as an engine does."""

    def __init__(self) -> None:
        self.events: list[object] = []
        self.now = self.stack = 0
        self.reasons = ["power on"]
        self.tracker = FlowTracker(
            self._time, lambda address: f"ram @{address:x}",
            lambda: self.reasons.pop() if self.reasons else "jump",
            lambda: self.stack, self.events.append,
        )  # fmt: skip
        self._low = self._high = 0

    def _time(self) -> int:
        self.now += 1
        return self.now

    def look(
        self, stack: int, *, bits: int = 32, big: bool = False, smm: bool = False,
        open_: bool = False, address: int = 0xF0000,
    ) -> None:  # fmt: skip
        before = self.stack
        low, high = min(self._low or before, before), max(self._high, before)
        self.tracker.looked(CpuLook(address, bits, big, smm, open_, stack, before, low, high))
        self.stack = stack
        self._low = self._high = stack

    def push(self, count: int) -> None:
        """Move the pointer by little, which nobody is told of at once."""
        self.stack -= count
        self._low = min(self._low or self.stack, self.stack)

    def call(self, vector: int) -> None:
        self.tracker.called(SoftwareInterrupt(vector, 0, 0, 0, 0, 0xF000, 0, real_mode=True))

    def post(self) -> None:
        """Be reset, and choose a stack."""
        self.tracker.reached(_RESET, in_smm=False)
        self.look(0, bits=16)
        self.look(_TOP, bits=16)
        self.look(_TOP, bits=32)

    def of(self, kind: type) -> list[object]:
        return [each for each in self.events if isinstance(each, kind)]


def kinds(cpu: Cpu) -> list[StackKind]:
    return [each.kind for each in cpu.tracker.stacks.known]


def test_a_start_is_told_by_int_19h():
    cpu = Cpu()
    cpu.post()
    assert cpu.tracker.entries[-1] == FirmwareEntry(2, "power on", Decision.OPEN)
    cpu.call(0x13)
    assert cpu.tracker.entries[-1].decision is Decision.OPEN
    cpu.call(0x19)
    assert cpu.tracker.entries[-1].decision is Decision.START
    assert [type(each) for each in (cpu.events[0], cpu.events[-1])] == [FirmwareEntry, Decided]


def test_a_reboot_is_told_by_the_next_entry_and_a_jump_by_nobody_s_reset():
    cpu = Cpu()
    cpu.post()
    cpu.call(0x19)
    cpu.tracker.reached(_JUMP, in_smm=False)
    cpu.reasons = ["port CF9h"]
    cpu.tracker.reached(_RESET, in_smm=False)
    told = [(each.cause, each.decision) for each in cpu.tracker.entries]
    assert told == [
        ("power on", Decision.START), ("jump", Decision.REBOOT), ("port CF9h", Decision.OPEN)
    ]  # fmt: skip


def test_a_resume_is_told_by_code_that_is_no_firmware_s():
    cpu = Cpu()
    cpu.post()
    cpu.tracker.reached(0x38000, in_smm=True)
    assert cpu.tracker.entries[-1].decision is Decision.OPEN
    cpu.tracker.reached(0x7CE2, in_smm=False)
    assert cpu.tracker.entries[-1].decision is Decision.RESUME
    cpu.tracker.reached(0x7CF0, in_smm=False)
    assert len(cpu.of(Decided)) == 1


def test_modes_are_counted_by_what_they_were_and_are():
    cpu = Cpu()
    cpu.post()
    for _ in range(2):
        cpu.look(_TOP, bits=16, big=True)
        cpu.look(_TOP, bits=32)
    cpu.look(_TOP, bits=16, smm=True)
    cpu.look(_TOP, bits=32)
    assert cpu.tracker.modes == {
        ("16-bit", "32-bit"): 1, ("32-bit", "16-bit big"): 2, ("16-bit big", "32-bit"): 2,
        ("32-bit", "SMM 16-bit"): 1, ("SMM 16-bit", "32-bit"): 1,
    }  # fmt: skip
    assert cpu.tracker.smis == 1
    assert len(cpu.of(ModeChange)) == 7


def test_a_stack_that_moves_by_a_frame_stays_one():
    cpu = Cpu()
    cpu.post()
    cpu.push(0x300)
    cpu.look(cpu.stack - 2000)
    cpu.look(_TOP)  # further than a frame, but it was here before
    cpu.look(_TOP - 0x900)
    (main,) = cpu.tracker.stacks.known
    assert (main.kind, main.low, main.high) == (StackKind.MAIN, _TOP - 0x300 - 2000, _TOP)
    assert (main.hops, main.place) == (1, "ram @7000")


def test_threads_take_turns_end_and_are_begun_again():
    cpu = Cpu()
    cpu.post()
    cpu.push(0x200)
    waiting = cpu.stack
    cpu.look(_THREADS - 4)  # begins
    cpu.push(0x40)
    cpu.look(waiting)
    cpu.look(_THREADS - 0x1004)  # another begins, below
    cpu.push(0x20)
    cpu.look(_THREADS - 0x44)  # the first goes on
    cpu.stack += 0x40 + 4  # and returns from where it began
    cpu.look(waiting)
    cpu.look(_THREADS - 0x1024)  # the second goes on
    cpu.push(8)
    cpu.look(waiting)
    cpu.look(_THREADS - 4)  # in the first one's place one more
    main, first, second = cpu.tracker.stacks.known
    assert kinds(cpu) == [StackKind.MAIN, StackKind.THREAD, StackKind.THREAD]
    assert (first.lives, first.hops, second.lives, second.hops) == (2, 3, 1, 2)
    assert main.hops == 4
    hops = cpu.of(StackHop)
    assert [each.after.number for each in hops] == [0, 1, 0, 2, 1, 0, 2, 0, 1]
    assert [n for n, each in enumerate(hops) if each.begins] == [0, 1, 3, 8]
    assert [n for n, each in enumerate(hops) if each.ends] == [5]


def test_a_hop_right_behind_an_interrupt_is_its_doing():
    cpu = Cpu()
    cpu.post()
    cpu.call(0x13)
    cpu.look(_TOP - 6, bits=16)
    cpu.push(10)
    cpu.look(_EXTRA, bits=16)
    cpu.look(_TOP - 16, bits=16)
    cpu.stack = _TOP
    cpu.call(0x10)  # takes no other stack, and returns
    cpu.push(0x400)
    cpu.look(_EXTRA, bits=16)  # much later
    cpu.look(_TOP - 0x400, bits=16)
    cpu.tracker.interrupted(8)
    cpu.push(16)
    cpu.look(_EXTRA, bits=16)
    assert kinds(cpu) == [StackKind.MAIN, StackKind.EXTRA]
    assert cpu.tracker.stacks.known[1].causes == {"INT 13h": 1, "interrupt 08h": 1}
    assert [each.cause for each in cpu.of(StackHop)][1:] == ["INT 13h", "", "", "", "interrupt 08h"]


def test_the_management_handler_has_a_stack_of_its_own():
    cpu = Cpu()
    cpu.post()
    cpu.look(_TOP, bits=16, smm=True)
    cpu.look(0xA8000, bits=32, smm=True)
    cpu.look(_TOP, bits=32)
    assert kinds(cpu) == [StackKind.MAIN, StackKind.SMM]
    assert cpu.tracker.stacks.known[1].causes == {"SMI": 1}


def test_what_is_booted_has_other_stacks_and_nobody_is_told():
    cpu = Cpu()
    cpu.post()
    cpu.call(0x19)
    cpu.push(0x100)
    count = len(cpu.events)
    cpu.look(0x60000, bits=16)
    cpu.look(0x100000, bits=32)
    assert kinds(cpu) == [StackKind.MAIN, StackKind.OTHER, StackKind.OTHER]
    assert len(cpu.events) == count
    assert len(cpu.tracker.events) > count


def test_a_window_holds_what_came_in_and_is_not_closed_by_that():
    cpu = Cpu()
    cpu.post()
    cpu.look(_TOP, open_=True, address=0xF7A3F)
    cpu.look(_TOP)
    cpu.look(_TOP, open_=True, address=0xF7A40)
    cpu.tracker.interrupted(8)
    cpu.look(_TOP - 12)  # in the handler
    cpu.look(_TOP, open_=True)  # and back
    cpu.tracker.interrupted(0x0E)
    cpu.look(_TOP - 12)
    cpu.look(_TOP, open_=True)
    cpu.look(_TOP)
    windows = cpu.of(InterruptsOpen)
    assert [(each.address, each.came) for each in windows] == [(0xF7A3F, ()), (0xF7A40, (8, 14))]
    assert (cpu.tracker.windows, cpu.tracker.came) == (2, {8: 1, 14: 1})
    assert all(each.time_ns < each.until_ns for each in windows)


def test_an_operating_system_s_stacks_are_bounded():
    cpu = Cpu()
    cpu.post()
    for number in range(3000):
        cpu.look(0x100000 * (number + 1))
    assert len(cpu.tracker.stacks.known) == 1000
    cpu.look(_TOP)
    assert cpu.tracker.stacks.current is cpu.tracker.stacks.known[0]
