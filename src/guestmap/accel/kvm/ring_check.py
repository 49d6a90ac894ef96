"""Whether a host's dirty rings tell of every page: some that emulate guests lose what is too much.

A kernel must let the guest wait before a ring is full. One that does not writes over what nobody
has taken, and says nothing.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from guestmap.accel.exits import ExitReason
from guestmap.accel.kvm.dirty_ring import LEAST_ENTRIES
from guestmap.accel.kvm.trial import TrialVm, trial_vm
from guestmap.accel.types import Segment, SegmentRegister
from guestmap.base import UnsupportedError
from guestmap.memory.ram.dirty import DirtyClient

if TYPE_CHECKING:
    from guestmap.accel.kvm.kernel import Kernel

_PAGE = 0x1000
_PAGES = 2 * LEAST_ENTRIES
# mov edi, 1000h; mov ecx, N; again: mov [edi], al; add edi, 1000h; dec ecx; jnz again; hlt
_WRITER = (
    b"\x66\xbf\x00\x10\x00\x00\x66\xb9" + pack("<I", _PAGES)
    + b"\x67\x88\x07\x66\x81\xc7\x00\x10\x00\x00\x66\x49\x75\xf2\xf4"
)  # fmt: skip
_FLAT_DATA = Segment(0, 0, 0xFFFF_FFFF, 0x8F9300)


def check_rings(kernel: Kernel | None = None) -> None:
    """Have a guest write twice as many pages as a ring has room for, and look at what is told.

    Raises:
        HostError: the host has no KVM that this user may use.
        UnsupportedError: it has no rings, or they lose pages.
    """
    size = (_PAGES + 1) * _PAGE
    with trial_vm(kernel, _WRITER, size, dirty_ring=LEAST_ENTRIES) as trial:
        trial.system.dirty_logging.start_global()
        _look(trial)
        trial.vcpu.write_segment(SegmentRegister.DS, _FLAT_DATA)
        end = trial.run()
        told = _look(trial)
    if end.reason is not ExitReason.HALTED or told < _PAGES:
        raise UnsupportedError(
            f"this host's KVM loses pages in dirty rings ({told} of {_PAGES} were told): do without"
            " dirty-ring-size"
        )


def _look(trial: TrialVm) -> int:
    """Return how many pages were written since the last look, not counting the first one."""
    system, ram, _ = trial
    log = system.dirty_logging.snapshot_and_clear(ram, 0, ram.size, DirtyClient.MIGRATION)
    return sum(page > 0 for page in log.pages())
