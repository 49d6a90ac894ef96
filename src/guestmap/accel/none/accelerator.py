"""No CPU at all: a run keeps the machine's timers going until somebody stops it.

For programs that play the CPU themselves (``machine.memory.store(...)``,
``machine.io.load(...)``), as QEMU's ``-accel qtest`` does, and for looking at a machine at reset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.accelerator import Accelerator
from guestmap.accel.exits import KICKED, Exit
from guestmap.accel.types import Capabilities, EngineStatistics, Register, Segment, SegmentRegister
from guestmap.accel.vcpu import Activity, InterruptSource, Vcpu
from guestmap.base import ConfigError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel.vcpu_state import VcpuState
    from guestmap.memory import AddressSpace

_NO_CPU = "engine 'none' has no CPU and so no registers: choose engine 'unicorn' for one"


class NoAccelerator(Accelerator):
    """An accelerator that executes nothing."""

    name = "none"
    has_smm = True  # nobody waits for it

    def __init__(
        self, memory: AddressSpace, io: AddressSpace, interrupts: Sequence[InterruptSource]
    ) -> None:
        del memory, io
        self._vcpus: list[NoVcpu] = [NoVcpu(self.name, number) for number in range(len(interrupts))]

    @property
    def capabilities(self) -> Capabilities:
        """Nothing."""
        return Capabilities(
            runs_code=False,
            exact_interrupts=False,
            exceptions=False,
            reset_vector=False,
            a20=False,
        )

    def vcpu(self, number: int = 0) -> Vcpu:
        """Return a vCPU that waits for ever."""
        if number not in range(len(self._vcpus)):
            raise ConfigError(f"there is no vCPU {number}: engine 'none' has {len(self._vcpus)}")
        return self._vcpus[number]

    def statistics(self) -> EngineStatistics:
        """Return zeros."""
        return EngineStatistics()

    def close(self) -> None:
        """Run nothing any more."""
        for each in self._vcpus:
            if not each.closed:
                each.check_idle()
                each.closed = True


class NoVcpu(Vcpu):
    """Waits for interrupts, and takes none."""

    def prepare(self) -> Activity:
        """Wait."""
        return Activity.HALTED

    def run(self) -> Exit:
        """Return at once."""
        return KICKED

    def kick(self) -> None:
        """Do nothing: it is never inside."""

    def knows_interrupts(self) -> bool:
        """Take no notice."""
        return True

    def set_a20(self, enabled: bool) -> None:
        """Do nothing: the address spaces are behind the gate."""

    def reset(self) -> None:
        """Do nothing: there is no state."""

    def read_register(self, register: Register) -> int:
        """Refuse."""
        del register
        raise UnsupportedError(_NO_CPU)

    def write_register(self, register: Register, value: int) -> None:
        """Refuse."""
        del register, value
        raise UnsupportedError(_NO_CPU)

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Refuse."""
        del register
        raise UnsupportedError(_NO_CPU)

    def save(self) -> None:
        """Return nothing."""

    def load(self, state: VcpuState) -> None:
        """Refuse."""
        del state
        raise UnsupportedError(_NO_CPU)

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Refuse."""
        del register, segment
        raise UnsupportedError(_NO_CPU)
