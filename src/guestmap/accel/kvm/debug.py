"""Watching a CPU that the kernel executes: steps, and stops at instructions by its debug registers.

A stop is told with DR6, as the processor would tell its guest: bit n for register n, bit 14 for a
step (Intel SDM, volume 3, section 18.2.3). The guest's own debug registers rest meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.debug import CpuProbe, WatchKind, access_of
from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.kvm.abi import GUEST_DEBUG, SET_GUEST_DEBUG, DebugFlag
from guestmap.accel.types import SegmentRegister
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.debug import Watchpoint
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.registers import Registers
    from guestmap.accel.kvm.run_page import RunPage
    from guestmap.memory import AddressSpace

_MOST = 4
_DR7_FIXED, _STEPPED, _RESUME = 1 << 10, 1 << 14, 1 << 16
_EXECUTE = frozenset({WatchKind.EXECUTE})


class KvmProbe(CpuProbe):
    """The probe of one vCPU.

    Args:
        vcpu: its descriptor.
        page: what it shares with the kernel.
        registers: its registers.
        memory: what it sees.
        check_outside: raises StateError while it is in the guest.
    """

    def __init__(
        self,
        vcpu: Handle,
        page: RunPage,
        registers: Registers,
        memory: AddressSpace,
        check_outside: Callable[[], None],
    ) -> None:
        self._handle = vcpu
        self._page = page
        self._registers = registers
        self._memory = memory
        self._check_outside = check_outside
        self._points: tuple[Watchpoint, ...] = ()
        self._stepping = False
        self._changed = False

    def watch(self, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these instructions, and no others, from now on.

        Raises:
            StateError: the CPU is in the guest.
            UnsupportedError: accesses of memory are to be watched, or too many instructions.
        """
        self._check_outside()
        if any(each.kinds - _EXECUTE for each in points):
            raise UnsupportedError(
                "engine 'kvm' stops at instructions, not at accesses of memory: engine 'unicorn'"
                " does"
            )
        count = sum(each.last - each.first + 1 for each in points)
        if count > _MOST:
            raise UnsupportedError(
                f"engine 'kvm' stops at {_MOST} addresses, not at {count}: engine 'unicorn' does"
            )
        self._points, self._stepping = tuple(points), stepping
        self._changed = True

    def arm(self) -> None:
        """Tell the kernel, before the guest is entered: a step is one from where it is now.

        Raises:
            HostError: the kernel refuses.
        """
        if not self._changed:
            return
        self._changed = False
        addresses = [at for each in self._points for at in range(each.first, each.last + 1)]
        control = DebugFlag(0)
        if addresses:
            control |= DebugFlag.ENABLE | DebugFlag.USE_HW_BP
        if self._stepping:
            control |= DebugFlag.ENABLE | DebugFlag.SINGLESTEP
        enabled = sum(2 << 2 * n for n in range(len(addresses)))
        padded = addresses + [0] * (_MOST - len(addresses))
        request = GUEST_DEBUG.pack(control, *padded, 0, 0, 0, _DR7_FIXED | enabled)
        self._handle.call(SET_GUEST_DEBUG, request)

    def answer(self) -> Exit | None:
        """Say how a stop ends the run; None where the guest goes on, past the instruction."""
        address, why = self._page.debug()
        if self._stepping and why & _STEPPED:
            self._stepping, self._changed = False, True  # the next run is no step
            return Exit(ExitReason.DEBUG, f"step to 0x{address:x}")
        if not self._points:  # nobody has asked for it
            return Exit(ExitReason.DEBUG)
        registers = self._registers
        registers.load()
        at = registers.segment(SegmentRegister.CS).selector, registers["rip"]
        access = access_of(self._memory.view, WatchKind.EXECUTE, address, 1, None, at)
        heard = [each.hear(access) for each in self._points if each.covers(address, 1)]
        if any(heard):
            return Exit(ExitReason.DEBUG, f"instruction at 0x{address:x}")
        registers["rflags"] |= _RESUME
        registers.save()
        return None
