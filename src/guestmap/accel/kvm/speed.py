"""How fast a host's KVM is: a device node and a version say nothing about that.

A kernel can offer KVM without a CPU that executes guests (nested inside another hypervisor, by
emulating each instruction): such a one runs firmware more slowly than an emulator does.
"""

from __future__ import annotations

import time
from struct import pack
from typing import TYPE_CHECKING

from guestmap.accel.exits import ExitReason
from guestmap.accel.kvm.trial import TrialVm, trial_vm
from guestmap.base import HostError

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Kernel

INSTRUCTIONS = 100_000
SLOW_PER_S = 5_000_000
"""Instructions in a second that no CPU stays below, and that every emulator reaches."""

_LOOP = b"\x66\xb9" + pack("<I", INSTRUCTIONS // 2) + b"\x66\x49\x75\xfc\xf4"
_TRIES = 3  # the best counts: a busy host is no slow KVM


def instructions_per_s(kernel: Kernel | None = None) -> float:
    """Measure, in a VM of its own, in some milliseconds on a CPU that executes guests.

    Raises:
        HostError: the host has no KVM that this user may use, or it does not run the loop.
        UnsupportedError: its KVM lacks something.
    """
    with trial_vm(kernel, _LOOP, 0x1000) as trial:
        best = _once(trial)
        for _ in range(_TRIES - 1):
            if INSTRUCTIONS / best < SLOW_PER_S:
                best = min(best, _once(trial))
    return INSTRUCTIONS / best


def _once(trial: TrialVm) -> float:
    trial.vcpu.reset()
    start = time.perf_counter()
    end = trial.run()
    if end.reason is not ExitReason.HALTED:
        raise HostError(f"KVM does not run a loop of {INSTRUCTIONS} instructions: {end.message}")
    return time.perf_counter() - start
