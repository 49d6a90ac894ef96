"""Accelerators: whatever executes a guest's instructions on a machine's address spaces.

:mod:`guestmap.accel.accelerator` says what one is, :mod:`guestmap.accel.vcpu` what its CPUs are,
and :mod:`guestmap.accel.loop` runs them. Importing this package imports no accelerator, and none of
the libraries that they need; :func:`open_accelerator` does that by name.
"""

from typing import TYPE_CHECKING, Any

from guestmap.accel.accelerator import Accelerator
from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.factory import ACCELERATORS, open_accelerator
from guestmap.accel.irqchip import InterruptChip, Irqchip
from guestmap.accel.loop import RunLoop
from guestmap.accel.turn import Alone, Bracket, Turn
from guestmap.accel.types import (
    Capabilities,
    EngineStatistics,
    Processor,
    Register,
    Segment,
    SegmentRegister,
    SoftwareInterrupt,
)
from guestmap.accel.vcpu import Activity, InterruptSource, NoInterrupts, Vcpu
from guestmap.accel.watchdog import Standstill, Watchdog

if TYPE_CHECKING:
    from guestmap.accel.vcpu_state import VcpuState

__all__ = [
    "ACCELERATORS",
    "Accelerator",
    "Activity",
    "Alone",
    "Bracket",
    "Capabilities",
    "EngineStatistics",
    "Exit",
    "ExitReason",
    "InterruptChip",
    "InterruptSource",
    "Irqchip",
    "NoInterrupts",
    "Processor",
    "Register",
    "RunLoop",
    "Segment",
    "SegmentRegister",
    "SoftwareInterrupt",
    "Standstill",
    "Turn",
    "Vcpu",
    "VcpuState",
    "Watchdog",
    "open_accelerator",
]


def __getattr__(name: str) -> Any:
    """Import what needs msgspec where it is asked for: a start would wait for that."""
    if name == "VcpuState":
        from guestmap.accel.vcpu_state import VcpuState

        return VcpuState
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
