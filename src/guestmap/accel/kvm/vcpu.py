"""A vCPU that the kernel executes: its registers and its pins; an :class:`Execution` runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from guestmap.accel.exits import KICKED, Exit, ExitReason
from guestmap.accel.interrupt_pin import InterruptPin
from guestmap.accel.kvm import whole_state
from guestmap.accel.kvm.abi import CREATE_VCPU, SMI, Cap
from guestmap.accel.kvm.accesses import VcpuAccesses
from guestmap.accel.kvm.cpuid import set_cpuid
from guestmap.accel.kvm.debug import KvmProbe
from guestmap.accel.kvm.execution import Execution
from guestmap.accel.kvm.irqchip import KvmLocalApic
from guestmap.accel.kvm.kernel import Handle
from guestmap.accel.kvm.registers import Registers
from guestmap.accel.kvm.run_page import RunPage
from guestmap.accel.types import Register, Segment, SegmentRegister
from guestmap.accel.vcpu import Activity, Vcpu
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from guestmap.accel.counters import Counters
    from guestmap.accel.debug import CpuProbe
    from guestmap.accel.in_vain import InVain
    from guestmap.accel.kvm.ring import CoalescedRing
    from guestmap.accel.kvm.vm import Vm
    from guestmap.accel.types import Processor
    from guestmap.accel.vcpu import InterruptSource
    from guestmap.accel.vcpu_state import VcpuState
    from guestmap.memory import AddressSpace

_IF = 1 << 9


class KvmVcpu(Vcpu):
    """One vCPU of :class:`guestmap.accel.kvm.accelerator.KvmAccelerator`; see there."""

    _smm_memory: AddressSpace | None = None

    def __init__(
        self,
        vm: Vm,
        number: int,
        memory: AddressSpace,
        io: AddressSpace,
        interrupts: InterruptSource,
        counters: Counters,
        ring: CoalescedRing,
        processor: Processor,
        in_vain: InVain,
    ) -> None:
        super().__init__("kvm", number)
        self._vm = vm
        self._interrupts = InterruptPin(interrupts)
        identity = number if vm.irqchip is None else processor.apic_id  # its APIC's, in the kernel
        self._handle = Handle(vm.kernel, vm.handle.call(CREATE_VCPU, identity), f"vCPU {number}")
        try:
            self._memory = self._handle.map(vm.features.run_size)
            if vm.rings is not None:
                vm.rings.attach(self._handle)
            set_cpuid(self._handle, vm.features, processor)
            self._page = RunPage(self._memory)
            self._registers = Registers(self._handle, self._page)
            self._apic = KvmLocalApic(self._handle) if vm.irqchip is not None else None
            self.starts_itself = vm.irqchip is not None
            self._after_reset = whole_state.save(self._handle, self._registers, halted=False)
        except BaseException:
            self._handle.close()
            raise
        ring.attach(self._memory, vm.features)
        self._map_lock = memory.root.system.transactions.lock
        self._accesses = VcpuAccesses(
            self._page, vm.table, memory, io, counters, in_vain, self._registers.instruction
        )
        self.execution = Execution(
            vm, self._handle, self._page, self._registers, self._interrupts, self._accesses, ring,
            counters,
        )  # fmt: skip
        self._smi_wanted = False
        self._probe = KvmProbe(
            self._handle, self._page, self._registers, self._accesses, vm.watch,
            self.check_outside, has_registers=not vm.features.is_in_tcg,
        )  # fmt: skip

    # -- running -----------------------------------------------------------------------------------

    def prepare(self) -> Activity:
        """Bring the memory slots to where they shall be, and look whether the vCPU waits."""
        for slots in (self._vm.slots, self._vm.smm_slots):
            if slots.unsettled:
                with self._map_lock:  # whoever was refused may be taking it back
                    slots.commit()
        self.execution.line_changed = True
        if self._smi_wanted:
            self._smi_wanted = self.execution.halted = False
            self._handle.call(SMI)
        if not self.execution.halted:
            return Activity.ACTIVE
        self._registers.load()
        if not self._registers["rflags"] & _IF:
            return Activity.HALTED_FOR_GOOD
        if not self._interrupts.pending:
            return Activity.HALTED
        self.execution.halted = False
        return Activity.ACTIVE

    def run(self) -> Exit:
        """Let the guest execute until something comes up."""
        self._inside = True
        try:
            while True:
                if (stop := self._probe.arm()) is not None:
                    return stop
                end = self.execution.run(self.turn.while_it_executes())
                if end is KICKED and self._apic is not None and self._apic.halted:
                    return Exit(ExitReason.HALTED)  # it is told; the kernel goes on to wait
                if end.reason is not ExitReason.DEBUG or end.message:  # an access has said which
                    return end
                if (stop := self._probe.answer()) is not None:
                    return stop
        finally:
            self._inside = False

    def kick(self) -> None:
        """Have the vCPU leave the guest."""
        self.execution.kick()

    @property
    def probe(self) -> CpuProbe:
        """What watches it.

        Raises:
            UnsupportedError: this host's KVM cannot.
        """
        if not self._vm.features.has(Cap.SET_GUEST_DEBUG):
            raise UnsupportedError("this host's KVM has no KVM_CAP_SET_GUEST_DEBUG")
        return self._probe

    # -- pins --------------------------------------------------------------------------------------

    def knows_interrupts(self) -> bool:
        """Take note, where the guest waits for the very access that changed the line."""
        self.execution.line_changed = True
        return self.in_guest

    def set_a20(self, enabled: bool) -> None:
        """Do nothing: KVM has no A20 gate."""

    @property
    def smm_memory(self) -> AddressSpace | None:
        """What it sees in system management mode."""
        return self._smm_memory

    @smm_memory.setter
    def smm_memory(self, memory: AddressSpace | None) -> None:
        before, self._smm_memory = self._smm_memory, memory
        if memory is before or not self._vm.features.has_smm:
            return
        slots = self._vm.smm_slots  # one map for all, whoever is in the mode
        if before is not None and slots in before.listeners:
            before.unregister_listener(slots)
        if memory is not None and slots not in memory.listeners:
            memory.register_listener(slots)
        self._accesses.smm_memory = memory

    def raise_smi(self) -> None:
        """Have it take a system management interrupt, soon."""
        if self._accesses.smm_memory is None:
            return
        if self.in_guest:  # in the very access that asks for it
            self._handle.call(SMI)
        else:
            self._smi_wanted = True
            self.notify()

    @property
    def in_smm(self) -> bool:
        """Whether it is in system management mode."""
        return whole_state.in_smm(self._handle)

    def reset(self) -> None:
        """Put it into its state after RESET#."""
        self.check_outside()
        self.execution.finish()
        self._set_all(self._after_reset)
        if self._apic is not None:
            self._apic.reset()

    def _set_all(self, state: VcpuState) -> None:
        whole_state.load(self._handle, self._registers, state)
        self._interrupts.accepted = state.accepted
        self._smi_wanted = False
        self._page.forget_interrupts()
        self.execution.halted = state.halted
        self.execution.line_changed = True

    # -- registers ---------------------------------------------------------------------------------

    def _loaded(self) -> Registers:
        """Return the registers; in the middle of an access they are those before it is finished."""
        if not self._inside:
            self.execution.finish()
        self._registers.load()
        return self._registers

    def read_register(self, register: Register) -> int:
        """Return a register."""
        return self._loaded().read(register)

    def write_register(self, register: Register, value: int) -> None:
        """Set a register."""
        self.check_idle()
        self._loaded().write(register, value)
        self._registers.save()
        self._page.forget_interrupts()
        self.execution.halted = False

    def read_segment(self, register: SegmentRegister) -> Segment:
        """Return a segment register."""
        return self._loaded().segment(register)

    def write_segment(self, register: SegmentRegister, segment: Segment) -> None:
        """Set a segment register."""
        self.check_idle()
        self._loaded().set_segment(register, segment)
        self._registers.save()

    def save(self) -> VcpuState:
        """Return all that it knows."""
        self.check_outside()
        self.execution.finish()
        state = whole_state.save(self._handle, self._registers, halted=self.execution.halted)
        if state.accepted is None:  # one that the kernel was not given yet waits at the pin
            state.accepted = self._interrupts.accepted
        state.smi = state.smi or self._smi_wanted
        return state

    def load(self, state: VcpuState) -> None:
        """Go on from what was saved."""
        self.check_outside()
        if not state.a20:
            raise UnsupportedError("the saved CPU has its A20 gate closed, and KVM has none")
        self.execution.finish()
        self._set_all(state)
        self.notify()

    def close(self) -> None:
        """Give the vCPU back; nobody runs it."""
        self.closed = True
        self.execution.kick.close()
        self._handle.close()
        if not isinstance(self._memory, bytearray):
            self._memory.close()
