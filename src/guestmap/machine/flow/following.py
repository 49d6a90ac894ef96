"""Following a machine's first CPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel import Register, SegmentRegister
from guestmap.machine.flow.tracker import FlowTracker
from guestmap.machine.phases import Phase

if TYPE_CHECKING:
    from guestmap.machine.phases import PhaseChange
    from guestmap.machine.vm import VirtualMachine

_JUMP = "jump to the reset vector"


def follow(vm: VirtualMachine) -> FlowTracker:
    """Follow a machine's firmware from now on; its observer hears of each event.

    Raises:
        UnsupportedError: the engine does not tell what its guest does.
        StateError: it runs.
    """
    told: list[PhaseChange] = []  # the reset that was told of last

    def why() -> str:
        changes = vm.phases.changes
        reset = next((each for each in reversed(changes) if each.phase is Phase.RESET), None)
        if reset is None or told[:1] == [reset]:
            return _JUMP
        told[:] = [reset]
        return reset.evidence

    def pointer() -> int:
        base = vm.vcpu.read_segment(SegmentRegister.SS).base
        return base + vm.vcpu.read_register(Register.ESP) & 0xFFFFFFFF

    def place(address: int) -> str:
        found = vm.board.memory.view.find(address)
        if found is None:
            return ""
        return f"{found.region.name} @{found.offset_in_region + address - found.start:x}"

    tracker = FlowTracker(vm.board.clock.now_ns, place, why, pointer, vm.tell)
    vm.vcpu.observe_software_interrupts(tracker.called)
    vm.vcpu.follow(tracker)
    return tracker
