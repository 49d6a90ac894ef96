"""Whether a probe is told that there is KVM: where this host has one that our machine can run on.

libvirt keeps what it was told, but not where the host has a KVM of which the emulator knows
nothing: there it probes anew at each step, ten times for a definition.
"""

from __future__ import annotations

import os

_DEVICE = "/dev/kvm"


def has_kvm() -> bool:
    """Tell whether this user may use this host's KVM, and it can do what is needed."""
    if not os.access(_DEVICE, os.R_OK | os.W_OK):
        return False
    from guestmap.accel.kvm.caps import ask, open_device
    from guestmap.accel.kvm.kernel import HostKernel
    from guestmap.base import GuestmapError

    try:
        device = open_device(HostKernel(), _DEVICE)
        try:
            ask(device)
        finally:
            device.close()
    except GuestmapError:
        return False
    return True
