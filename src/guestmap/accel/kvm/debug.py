"""Watching a CPU that the kernel executes: steps, stops at instructions, accesses of memory.

Four addresses have a debug register each; where there are more, the guest goes step by step, and
each instruction is looked at. One that was told of is passed with a step, its register off.

A stop is told with DR6, as the processor would tell its guest: bit n for register n, bit 14 for a
step (Intel SDM, volume 3, section 18.2.3). The guest's own debug registers rest meanwhile.

Accesses of memory are told as they come out of the guest (:class:`MemoryWatch`). Of a write the
kernel says no more than where the CPU goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.debug import CpuProbe, WatchKind, access_of
from guestmap.accel.exits import Exit, ExitReason
from guestmap.accel.kvm.abi import GUEST_DEBUG, SET_GUEST_DEBUG, DebugFlag
from guestmap.accel.types import SegmentRegister

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from guestmap.accel.debug import GuestAccess, Watchpoint
    from guestmap.accel.kvm.accesses import VcpuAccesses
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.memory_watch import MemoryWatch
    from guestmap.accel.kvm.registers import Registers
    from guestmap.accel.kvm.run_page import RunPage
    from guestmap.memory import AddressSpace

_MOST = 4
_DR7_FIXED, _STEPPED = 1 << 10, 1 << 14
_EXECUTE = frozenset({WatchKind.EXECUTE})


class KvmProbe(CpuProbe):
    """The probe of one vCPU.

    Args:
        vcpu: its descriptor.
        page: what it shares with the kernel.
        registers: its registers.
        accesses: what comes out of it.
        watch: has more come out.
        check_outside: raises StateError while it is in the guest.
        has_registers: whether debug registers can be used; else it goes step by step.
    """

    def __init__(
        self,
        vcpu: Handle,
        page: RunPage,
        registers: Registers,
        accesses: VcpuAccesses,
        watch: MemoryWatch,
        check_outside: Callable[[], None],
        *,
        has_registers: bool = True,
    ) -> None:
        self._handle = vcpu
        self._page = page
        self._registers = registers
        self._accesses = accesses
        self._watch = watch
        self._check_outside = check_outside
        self._most = _MOST if has_registers else 0
        self._points: tuple[Watchpoint, ...] = ()
        self._data: tuple[Watchpoint, ...] = ()
        self._stepping = self._walks = self._passing = False
        self._changed = False

    def watch(self, points: Collection[Watchpoint], *, stepping: bool = False) -> None:
        """Watch these ranges, and no others, from now on.

        Raises:
            StateError: the CPU is in the guest.
            UnsupportedError: reads of memory are to be watched.
            HostError: the kernel refuses.
        """
        self._check_outside()
        self._watch.watch(points, self._accesses.memory)
        self._data = tuple(each for each in points if each.kinds - _EXECUTE)
        self._accesses.hear = self._hear if self._data else None
        self._points = tuple(each for each in points if WatchKind.EXECUTE in each.kinds)
        self._walks = sum(each.last - each.first + 1 for each in self._points) > self._most
        self._stepping, self._passing = stepping, False
        self._changed = True

    def arm(self) -> Exit | None:
        """Tell the kernel, before the guest is entered: a step is one from where it is now.

        Returns:
            How the run ends before its first instruction; None where it begins.

        Raises:
            HostError: the kernel refuses.
        """
        if not self._changed:
            return None
        self._changed = False
        addresses: list[int] = []
        if not self._walks and not self._passing:
            addresses = [at for each in self._points for at in range(each.first, each.last + 1)]
        control = DebugFlag(0)
        if addresses:
            control |= DebugFlag.ENABLE | DebugFlag.USE_HW_BP
        if self._stepping or self._walks or self._passing:
            control |= DebugFlag.ENABLE | DebugFlag.SINGLESTEP
        enabled = sum(2 << 2 * n for n in range(len(addresses)))
        padded = addresses + [0] * (_MOST - len(addresses))
        request = GUEST_DEBUG.pack(control, *padded, 0, 0, 0, _DR7_FIXED | enabled)
        self._handle.call(SET_GUEST_DEBUG, request)
        if self._walks and not self._stepping:  # no step leads to the instruction it stands at
            self._registers.load()
            base = self._registers.segment(SegmentRegister.CS).base
            return self._told_of(base + self._registers["rip"])
        return None

    def answer(self) -> Exit | None:
        """Say how a stop ends the run; None where the guest goes on, past the instruction."""
        address, why = self._page.debug()
        if self._stepping and why & _STEPPED:
            self._stepping, self._changed = False, True  # the next run is no step
            self._passing = False
            return Exit(ExitReason.DEBUG, f"step to 0x{address:x}")
        if self._passing and why & _STEPPED:
            self._passing, self._changed = False, True
            return None
        if not self._points:  # nobody has asked for it
            return Exit(ExitReason.DEBUG)
        if not self._walks:
            # RF would do by the SDM, section 18.3.1.1, but not every host's KVM heeds it
            self._passing = self._changed = True
        return self._told_of(address)

    def _told_of(self, address: int) -> Exit | None:
        """Tell of the instruction that is next, where it is watched; return how that ends a run."""
        points = [each for each in self._points if each.covers(address, 1)]
        if not points:
            return None
        access = self._access(self._accesses.memory, WatchKind.EXECUTE, address, 1, None)
        heard = [each.hear(access) for each in points]  # all of them
        if any(heard):
            return Exit(ExitReason.DEBUG, f"instruction at 0x{address:x}")
        return None

    def _hear(
        self, memory: AddressSpace, kind: WatchKind, address: int, size: int, value: int
    ) -> None:
        """Tell of an access; the run ends behind its instruction, where somebody wants that."""
        points = [each for each in self._data if kind in each.kinds and each.covers(address, size)]
        if points:
            access = self._access(memory, kind, address, size, value)
            heard = [each.hear(access) for each in points]
            if any(heard):
                self._accesses.stop = Exit(ExitReason.DEBUG, f"access to 0x{address:x}")

    def _access(
        self, memory: AddressSpace, kind: WatchKind, address: int, size: int, value: int | None
    ) -> GuestAccess:
        at = self._registers.instruction()
        access = access_of(memory.view, kind, address, size, value, at)
        return access._replace(exact=kind is not WatchKind.WRITE)
