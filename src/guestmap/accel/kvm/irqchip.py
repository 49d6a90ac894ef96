"""KVM's own interrupt controllers: all of them, or the local APICs alone.

Source: Linux, Documentation/virt/kvm/api.rst, sections 4.24 to 4.27, 4.52, 4.70 and 7.5.
"""

from __future__ import annotations

from struct import Struct, pack, pack_into, unpack_from
from typing import TYPE_CHECKING

from guestmap.accel.irqchip import InterruptChip, Irqchip
from guestmap.accel.kvm.abi import (
    CREATE_IRQCHIP,
    ENABLE_CAP,
    GET_IRQCHIP,
    GET_LAPIC,
    GET_MP_STATE,
    IRQ_LINE,
    SET_GSI_ROUTING,
    SET_IRQCHIP,
    SET_LAPIC,
    SET_MP_STATE,
    SIGNAL_MSI,
    Cap,
)
from guestmap.accel.kvm.whole_state import read_msr, write_msr
from guestmap.base import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from guestmap.accel.kvm.caps import Features
    from guestmap.accel.kvm.kernel import Handle

PINS = 24
_APIC_BASE = 0x1B
_NEEDS = {
    InterruptChip.SPLIT: (Cap.SPLIT_IRQCHIP, Cap.SIGNAL_MSI, Cap.IRQ_ROUTING, Cap.MP_STATE),
    InterruptChip.ACCELERATOR: (Cap.IRQCHIP, Cap.SIGNAL_MSI, Cap.IRQ_ROUTING, Cap.MP_STATE),
}
_MASTER, _SLAVE, _IOAPIC = range(3)
_TO_CHIP, _TO_MSI = 1, 2
_ROUTE = Struct("<III4xIII20x")  # gsi, type, flags, and of what it goes to 12 bytes
_CHIP_STATE_AT = 8
HALTED = 3
"""KVM_MP_STATE_HALTED: a vCPU that waits for an interrupt inside KVM_RUN."""


class KvmIrqchip(Irqchip):
    """The controllers of a VM; make it before the VM's first vCPU.

    Args:
        vm: the VM's descriptor.
        features: of the host.
        kind: which controllers.

    Raises:
        HostError: the kernel refuses.
        UnsupportedError: it has them not.
    """

    def __init__(self, vm: Handle, features: Features, kind: InterruptChip) -> None:
        lacking = [f"KVM_CAP_{cap.name}" for cap in _NEEDS[kind] if not features.has(cap)]
        if lacking:
            raise UnsupportedError(
                f"this host's KVM has no {', '.join(lacking)}, which kernel-irqchip={kind.value}"
                " needs: give off"
            )
        self._vm = vm
        self.kind = kind
        self.on_eoi = lambda _vector: None
        self._after_reset: list[bytearray] = []
        if kind is InterruptChip.SPLIT:
            vm.call(ENABLE_CAP, pack("<II4Q64x", Cap.SPLIT_IRQCHIP, 0, PINS, 0, 0, 0))
            return
        vm.call(CREATE_IRQCHIP)
        self._set_routes([*_pic_routes(), *_ioapic_routes()])
        self._after_reset = [self._state(chip) for chip in (_MASTER, _SLAVE, _IOAPIC)]

    def _state(self, chip: int) -> bytearray:
        state = bytearray(GET_IRQCHIP.size)
        pack_into("<I", state, 0, chip)
        self._vm.call(GET_IRQCHIP, state)
        return state

    def set_line(self, number: int, level: bool) -> None:
        """Drive a global line."""
        self._vm.call(IRQ_LINE, pack("<II", number, level), f"line {number}")

    def send(self, address: int, data: int) -> None:
        """Send a message-signalled interrupt."""
        request = pack("<QI20x", address, data)
        self._vm.call(SIGNAL_MSI, request, f"0x{data:x} to 0x{address:x}")

    def route(self, messages: Sequence[tuple[int, int]]) -> None:
        """Say what the machine's I/O APIC sends: the kernel tells the ends of what has a level."""
        self._set_routes(
            [
                _ROUTE.pack(pin, _TO_MSI, 0, address, 0, data)
                for pin, (address, data) in enumerate(messages)
            ]
        )

    def _set_routes(self, routes: Sequence[bytes]) -> None:
        self._vm.call(SET_GSI_ROUTING, pack("<II", len(routes), 0) + b"".join(routes))

    def reset(self) -> None:
        """Put the controllers into their states after RESET#, but for the local APICs."""
        for state in self._after_reset:
            self._vm.call(SET_IRQCHIP, state)


class KvmLocalApic:
    """The local APIC of a vCPU, where it is the kernel's, and what the vCPU waits for.

    Args:
        vcpu: its descriptor, in its state after RESET#.
    """

    def __init__(self, vcpu: Handle) -> None:
        self._vcpu = vcpu
        self._registers, self._mp_state = bytearray(GET_LAPIC.size), self._state()
        vcpu.call(GET_LAPIC, self._registers)
        self._base = read_msr(vcpu, _APIC_BASE)

    def _state(self) -> bytearray:
        state = bytearray(GET_MP_STATE.size)
        self._vcpu.call(GET_MP_STATE, state)
        return state

    @property
    def halted(self) -> bool:
        """Whether the vCPU, which must not run, waits for an interrupt."""
        return bool(unpack_from("<I", self._state())[0] == HALTED)

    def reset(self) -> None:
        """Put it into its state after RESET#: the first CPU goes on, the others wait for INIT."""
        if self._base is not None:
            write_msr(self._vcpu, _APIC_BASE, self._base)
        self._vcpu.call(SET_LAPIC, self._registers)
        self._vcpu.call(SET_MP_STATE, self._mp_state)


def _pic_routes() -> list[bytes]:
    """Return routes of the ISA lines to the two PICs."""
    return [
        _ROUTE.pack(line, _TO_CHIP, 0, _SLAVE if line & 8 else _MASTER, line & 7, 0)
        for line in range(16)
    ]


def _ioapic_routes() -> list[bytes]:
    """Return routes to the I/O APIC: the timer's line 0 arrives at pin 2, as PCs wire it."""
    return [
        _ROUTE.pack(line, _TO_CHIP, 0, _IOAPIC, line or 2, 0) for line in range(PINS) if line != 2
    ]
