import pytest

from guestmap.machine import MachineConfig, VirtualMachine
from guestmap.machine.phases import Phase, PhaseTracker

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
