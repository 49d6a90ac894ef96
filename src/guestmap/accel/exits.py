"""Why a CPU came back from the guest, and why a run of it ended."""

from __future__ import annotations

from enum import Enum

from guestmap.base.dataclass import dataclass


class ExitReason(Enum):
    """Why a vCPU, or the loop that runs it, returned.

    The loop answers the first two itself: it looks at what there is to do, or waits where the guest
    waits. The others end a run.
    """

    KICKED = "kicked"  # asked to leave, or there is something to look at before it goes on
    HALTED = "halted"  # HLT; of a run: with interrupts off, nothing but a reset or an NMI ends it
    SHUTDOWN = "shutdown"  # triple fault: a PC's chipset answers it with a reset
    DEBUG = "debug"  # a breakpoint or a single step: whoever set it has the turn
    ERROR = "error"  # the accelerator cannot go on; see the message
    STOPPED = "stopped"  # of a run: stop() was called
    RESET = "reset"  # of a run: request_reset() was called: reset the devices, then the CPU


@dataclass(frozen=True, slots=True)
class Exit:
    """The end of a run: why, and for people, what happened."""

    reason: ExitReason
    message: str = ""


KICKED = Exit(ExitReason.KICKED)
