import pytest

from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.phases import Phase, PhaseChange, PhaseTracker

# What SeaBIOS 1.16.2 writes on QEMU 7.2, shortened.
LOG = """\
SeaBIOS (version 1.16.2-debian-1.16.2-1)
Found QEMU fw_cfg
Relocating init from 0x000d48c0 to 0x06feb320 (size 85056)
Moving pm_base to 0x600
=== PCI bus & bridge init ===
SeaBIOS (version 1.16.2-debian-1.16.2-1)
Space available for UMB: c0000-e8800, f5500-f5990
enter handle_19:
enter handle_18:
No bootable device.
""".splitlines()


def _tracker() -> tuple[PhaseTracker, list[int]]:
    ticks = [0]

    def now() -> int:
        ticks[0] += 1
        return ticks[0]

    return PhaseTracker(now), ticks


def test_a_post_goes_through_the_phases_in_order():
    tracker, _ = _tracker()
    tracker.reset("power on")
    for line in LOG:
        tracker.line(line)
    tracker.halted()
    assert [c.phase for c in tracker.changes] == [
        Phase.RESET, Phase.PREINIT, Phase.INIT, Phase.SETUP, Phase.PREPBOOT, Phase.BOOT, Phase.HALT,
    ]  # fmt: skip


def test_times_are_those_of_the_evidence():
    tracker, _ = _tracker()
    tracker.reset("power on")
    tracker.line(LOG[0])
    assert [c.time_ns for c in tracker.changes] == [1, 2]


def test_a_wait_is_no_end_before_the_firmware_says_so():
    tracker, _ = _tracker()
    tracker.reset("power on")
    tracker.halted()
    assert tracker.phase is Phase.RESET
    assert not tracker.gave_up


def test_the_banner_on_the_screen_is_no_second_preinit():
    tracker, _ = _tracker()
    for line in LOG:
        tracker.line(line)
    assert sum(c.phase is Phase.PREINIT for c in tracker.changes) == 1


def test_int_19h_shows_the_boot_phase_before_the_log_does():
    tracker, _ = _tracker()
    tracker.interrupt(0x10)
    tracker.interrupt(0x19)
    tracker.line("enter handle_19:")
    assert [(c.phase, c.evidence) for c in tracker.changes] == [(Phase.BOOT, "INT 19h")]


def test_a_reset_begins_anew():
    tracker, _ = _tracker()
    for line in LOG:
        tracker.line(line)
    tracker.reset("CF9h")
    for line in LOG:
        tracker.line(line)
    assert [c.phase for c in tracker.changes].count(Phase.PREPBOOT) == 2


def test_what_was_started_may_give_up_and_return_to_the_boot_phase():
    tracker, _ = _tracker()
    for line in [*LOG, "Booting from 0000:7c00"]:
        tracker.line(line)
    tracker.interrupt(0x18)
    assert [c.phase for c in tracker.changes][-2:] == [Phase.RUNTIME, Phase.BOOT]


def test_a_halt_that_waits_for_hardware_is_no_end():
    tracker, _ = _tracker()
    for line in LOG[:5]:
        tracker.line(line)
    tracker.halted()
    assert tracker.phase is Phase.SETUP


def test_a_halt_with_interrupts_off_is_an_end_anywhere():
    tracker, _ = _tracker()
    tracker.line(LOG[0])
    tracker.halted(for_good=True)
    assert tracker.phase is Phase.HALT


def test_a_start_over_goes_through_resume_and_all_phases_of_the_post():
    tracker, _ = _tracker()
    for line in LOG:
        tracker.line(line)
    tracker.halted()
    tracker.reset("CF9h")
    for line in ["In resume (status=0)", *LOG]:
        tracker.line(line)
    tracker.halted()
    assert [c.phase for c in tracker.changes[7:]] == [
        Phase.RESUME, Phase.PREINIT, Phase.INIT, Phase.SETUP, Phase.PREPBOOT, Phase.BOOT,
        Phase.HALT,
    ]  # fmt: skip


@pytest.mark.unicorn
@pytest.mark.seabios
def test_a_machine_shows_its_tracker_the_interrupt_that_boots():
    with VirtualMachine(MachineConfig(debugcon=True)) as vm:
        vm.run(until=Phase.BOOT)
        assert (vm.phases.phase, vm.phases.changes[-1].evidence) == (Phase.BOOT, "INT 19h")


@pytest.mark.parametrize(("line", "phase"), [
    ("SeaBIOS (version ", Phase.PREINIT), ("Relocating init from ", Phase.INIT),
    ("Moving pm_base to ", Phase.SETUP), ("=== PCI bus & bridge init ===", Phase.SETUP),
    ("Space available for UMB: ", Phase.PREPBOOT), ("enter handle_18:", Phase.BOOT),
    ("enter handle_19:", Phase.BOOT), ("Booting from 0000:7c00", Phase.RUNTIME),
    ("Booting from ffff:abcd", Phase.RUNTIME), ("In resume ", Phase.RESUME),
    (" SeaBIOS (version ", None), ("Moving pm_base", None), ("enter handle_13:", None),
    ("Booting from Hard Disk...", None), ("No bootable device.", None), ("", None),
])  # fmt: skip
def test_each_line_that_shows_a_phase(line: str, phase: Phase | None) -> None:
    tracker, _ = _tracker()
    tracker.reset("power on")
    tracker.line(line)
    shown = [(each.phase, each.evidence) for each in tracker.changes[1:]]
    assert shown == ([] if phase is None else [(phase, f"log: {line}")])


def test_only_two_interrupts_boot() -> None:
    for vector in range(256):
        tracker, _ = _tracker()
        tracker.interrupt(vector)
        assert tracker.phase is (Phase.BOOT if vector in {0x18, 0x19} else None), vector


SHOWS = {
    Phase.PREINIT: LOG[0], Phase.INIT: LOG[2], Phase.SETUP: LOG[3], Phase.PREPBOOT: LOG[6],
    Phase.BOOT: LOG[7], Phase.RUNTIME: "Booting from 0000:7c00", Phase.RESUME: "In resume (s=0)",
}  # fmt: skip


@pytest.mark.parametrize("now", Phase)
@pytest.mark.parametrize("then", SHOWS)
def test_a_phase_follows_an_earlier_one(now: Phase, then: Phase) -> None:
    """All but RESUME, which comes at any time, and BOOT after what was started."""
    tracker, _ = _tracker()
    tracker.restore([PhaseChange(now, 0, "")], gave_up=True)
    tracker.line(SHOWS[then])
    order = [*Phase]
    goes_on = order.index(then) > order.index(now) or then is Phase.RESUME
    goes_on |= (now, then) == (Phase.RUNTIME, Phase.BOOT)
    assert tracker.phase is (then if goes_on else now)
    assert len(tracker.changes) == 1 + goes_on
    assert tracker.gave_up is not goes_on


@pytest.mark.parametrize("halts", [True, False])
def test_firmware_that_gives_up_halts_or_says_so(halts: bool) -> None:
    told: list[PhaseChange] = []
    tracker = PhaseTracker(lambda: 7, told.append, halts=halts)
    tracker.line("No bootable device.")
    assert tracker.gave_up
    said = PhaseChange(Phase.HALT, 7, "log: No bootable device.")
    assert tracker.changes == told == ([] if halts else [said])
    tracker.halted()
    assert told == [PhaseChange(Phase.HALT, 7, "HLT") if halts else said]
    tracker.halted(for_good=True)
    assert len(told) == 1


def test_the_newest_of_many_phases_are_kept() -> None:
    tracker, ticks = _tracker()
    for _ in range(10_000):
        tracker.reset("again")
    assert [each.time_ns for each in tracker.changes] == [*range(1, 10_001)]
    tracker.reset("again")
    assert [each.time_ns for each in tracker.changes] == [*range(5_001, 10_002)]
    many = [PhaseChange(Phase.RESET, n, "") for n in range(10_001)]
    tracker.restore(many, gave_up=False)
    assert tracker.changes == many[1:]
    assert ticks == [10_001]
