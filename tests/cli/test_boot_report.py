"""What a boot's report keeps."""

from __future__ import annotations

from guestmap.cli.boot_answer import KEPT, Recorder
from guestmap.machine import MachineReset
from guestmap.memory import MemorySystem


def test_a_machine_that_runs_for_weeks_fills_no_memory_and_says_what_is_forgotten():
    recorder = Recorder()
    system = MemorySystem()
    root = system.container("root", 1 << 20)
    system.address_space("memory", root)
    window = system.ram("window", 4096)
    root.add_subregion(0, window)
    system.subscribe(recorder.tell)
    for round_ in range(KEPT + 10):
        window.set_address(0x1000 * (round_ % 2 + 1))
        recorder.tell(MachineReset(round_, "the host asks"))
    assert (len(recorder.commits), recorder.forgotten) == (KEPT, 10)
    assert recorder.commits[-1] is system.history[-1]
    assert len(recorder.resets) == KEPT
    assert recorder.resets[-1].time_ns == KEPT + 9
