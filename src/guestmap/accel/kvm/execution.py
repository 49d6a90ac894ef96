"""A vCPU's way into the guest, and why it came back.

An access that comes out is not over when it was carried out: the kernel takes the answer at the
next KVM_RUN. Whoever wants the registers meanwhile has it finished first.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from guestmap.accel.exits import KICKED, Exit, ExitReason
from guestmap.accel.kvm.abi import INTERRUPT, RUN, Cap, ExitCode, SyncFlag
from guestmap.accel.kvm.kick import Kick
from guestmap.accel.types import SegmentRegister
from guestmap.base import HostError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from guestmap.accel.counters import Counters
    from guestmap.accel.interrupt_pin import InterruptPin
    from guestmap.accel.kvm.accesses import VcpuAccesses
    from guestmap.accel.kvm.kernel import Handle
    from guestmap.accel.kvm.registers import Registers
    from guestmap.accel.kvm.ring import CoalescedRing
    from guestmap.accel.kvm.run_page import RunPage
    from guestmap.accel.kvm.vm import Vm

_GOES_ON = {ExitCode.IRQ_WINDOW_OPEN, ExitCode.SET_TPR}


class Execution:
    """Runs one vCPU.

    Args:
        vm: the VM.
        vcpu: its descriptor.
        page: what it shares with the kernel.
        registers: its registers, for messages.
        interrupts: its INTR pin.
        accesses: carries out what comes out.
        ring: the writes that the kernel holds back.
        counters: what is done is counted there.

    Attributes:
        kick: makes it leave the guest, from any thread.
        halted: whether it waits for an interrupt.
        line_changed: whether the INTR pin is to be looked at before it goes in.
    """

    def __init__(
        self,
        vm: Vm,
        vcpu: Handle,
        page: RunPage,
        registers: Registers,
        interrupts: InterruptPin,
        accesses: VcpuAccesses,
        ring: CoalescedRing,
        counters: Counters,
    ) -> None:
        self._vm = vm
        self._handle = vcpu
        self._page = page
        self._registers = registers
        self._interrupts = interrupts
        self._accesses = accesses
        self._ring = ring
        self._counters = counters
        self.kick = Kick(page)
        self._door = vm.inhibitor.door(self.kick)
        self.halted = False
        self.line_changed = True
        self._unfinished = False
        # Not where the local APIC is the kernel's: there INIT changes them behind our back.
        wanted = SyncFlag.REGS | SyncFlag.SREGS
        self._synced = vm.irqchip is None and vm.features.caps[Cap.SYNC_REGS] & wanted == wanted
        if self._synced:
            page.synchronise()

    def run(self, beside: AbstractContextManager[None]) -> Exit:
        """Let the guest execute until something comes up.

        Args:
            beside: what it executes in: others may be at the machine meanwhile.
        """
        self._counters.entries += 1
        with self.kick.running():
            end = self._execute(beside)
        if self._ring.waiting:
            self._ring.flush()
        return end

    def _execute(self, beside: AbstractContextManager[None]) -> Exit:
        page, accesses, door, ring = self._page, self._accesses, self._door, self._ring
        enter, fd, run = self._vm.kernel.ioctl, self._handle.fd, RUN.code
        registers, synced = self._registers, self._synced
        while True:
            if self.line_changed:
                self._offer_interrupt()
            registers.in_page = False
            try:
                with beside:  # and out of the door before it waits for its turn
                    door.enter()
                    try:
                        enter(fd, run, 0)
                    finally:
                        door.left()
            except InterruptedError:  # the page still tells of the exit before
                registers.in_page = synced
                self._unfinished = False
                self.kick.heard()
                return KICKED
            except BlockingIOError:  # it was started by another one, and begins now
                self._unfinished = False
                return KICKED
            except OSError as error:
                self._unfinished = False
                return Exit(ExitReason.ERROR, self._failed(error))
            registers.in_page = synced
            reason = page.reason
            self._unfinished = True
            if ring.waiting:  # what was written before comes before
                ring.flush()
            if accesses.carry_out(reason):
                if accesses.stop is None:
                    continue
                self.finish()
                stop, accesses.stop = accesses.stop, None
                return stop
            self._unfinished = False
            if reason == ExitCode.DIRTY_RING_FULL and self._vm.rings is not None:
                self._vm.rings.take()
                continue
            if reason == ExitCode.IOAPIC_EOI and self._vm.irqchip is not None:
                self._vm.irqchip.on_eoi(page.ended_vector)
                continue
            if reason not in _GOES_ON:
                return self._left(reason)
            self.line_changed = True

    def _left(self, reason: int) -> Exit:
        """Say what an exit means that the run ends with."""
        if reason == ExitCode.HLT:
            self.halted = True
            self._counters.halts += 1
            return Exit(ExitReason.HALTED)
        if reason == ExitCode.SHUTDOWN:
            return Exit(ExitReason.SHUTDOWN, "triple fault")
        if reason == ExitCode.DEBUG:
            return Exit(ExitReason.DEBUG)
        if reason == ExitCode.INTR:
            return KICKED
        return Exit(ExitReason.ERROR, f"KVM: {self._page.explain()} at {self._where()}")

    def _failed(self, error: OSError) -> str:
        number = error.errno or errno.EIO
        if number == errno.ENOSPC:
            return "KVM: the machine has no memory that the vCPU could run in"
        return f"KVM: KVM_RUN fails at {self._where()}: {os.strerror(number)}"

    def _where(self) -> str:
        try:
            self._registers.load()
        except HostError:  # some kernels give a VM up for what its guest does, and answer no more
            return "a place that the kernel does not tell"
        code = self._registers.segment(SegmentRegister.CS).selector
        return f"{code:04x}:{self._registers['rip']:08x}"

    def _offer_interrupt(self) -> None:
        """Inject the interrupt that is pending, or have the guest leave when it can take it."""
        page = self._page
        pending = self._interrupts.pending
        if pending and page.takes_interrupts:
            self._counters.interrupts += 1
            vector = self._interrupts.acknowledge()
            self._handle.call(INTERRUPT, vector.to_bytes(4, "little"), f"vector {vector}")
            page.interrupt_given()
            pending = self._interrupts.pending
        page.request_window(wanted=pending)
        self.line_changed = pending

    def finish(self) -> None:
        """Have the kernel finish the instruction whose access was carried out.

        Raises:
            HostError: the kernel refuses.
        """
        while self._unfinished:
            self._page.leave_at_once(wanted=True)
            self._registers.in_page = False
            try:
                self._vm.kernel.ioctl(self._handle.fd, RUN.code, 0)
            except InterruptedError:
                self._registers.in_page = self._synced
                self._unfinished = False
                self.kick.heard()
            except OSError as error:
                self._unfinished = False
                raise HostError(self._failed(error), errno=error.errno, call=RUN.name) from error
            else:  # the instruction has more to access
                self._unfinished = self._accesses.carry_out(self._page.reason)
