"""Interrupt controllers that are the kernel's: what it is asked for, and when."""

from __future__ import annotations

from struct import pack, pack_into, unpack_from

import pytest

from guestmap.accel import ExitReason, InterruptChip, NoInterrupts, Processor, open_accelerator
from guestmap.accel.kvm import abi
from guestmap.accel.kvm.abi import Cap, ExitCode
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.kvm.irqchip import HALTED
from guestmap.base import UnsupportedError
from guestmap.hw.apic.ioapic import IoApic
from guestmap.hw.apic.message import DeliveryMode, InterruptMessage
from guestmap.memory import MemorySystem
from tests.accel.kvm.fake_vcpu import CpuKernel, Eintr, Other

SPLIT, ALL = InterruptChip.SPLIT, InterruptChip.ACCELERATOR
HAS = {cap.name: 1 for cap in (Cap.IRQCHIP, Cap.SPLIT_IRQCHIP, Cap.SIGNAL_MSI, Cap.IRQ_ROUTING)}
HAS |= {"MP_STATE": 1, "MANUAL_DIRTY_LOG_PROTECT2": 0}


class Eoi(Other):
    """The guest has ended an interrupt that has a level."""

    def __init__(self, vector: int) -> None:
        super().__init__(ExitCode.IOAPIC_EOI)
        self.vector = vector

    def show(self, page: bytearray) -> None:
        super().show(page)
        page[32] = self.vector


class ChipKernel(CpuKernel):
    """A kernel with interrupt controllers, which notes what is asked of them.

    Attributes:
        asked: requests in their order: name and what they are made with.
        mp_state: what the vCPU waits for.
    """

    def __init__(self, **lacks: int) -> None:
        super().__init__(**HAS | lacks)
        self.asked: list[tuple[str, object]] = []
        self.mp_state = 0
        self.chips = {number: bytes((number,)) * 512 for number in range(3)}

    def _requests(self):
        def noted(request, answer=lambda _: 0):
            def do(argument):
                shown = argument if isinstance(argument, int) else bytes(argument)
                self.asked.append((request.name, shown))
                return answer(argument)

            return do

        found = super()._requests()
        for request in (
            abi.IRQ_LINE, abi.SIGNAL_MSI, abi.SET_GSI_ROUTING, abi.CREATE_IRQCHIP, abi.SET_IRQCHIP,
            abi.ENABLE_CAP, abi.SET_LAPIC, abi.SET_MP_STATE,
        ):  # fmt: skip
            found[request.code] = noted(request)
        found[abi.CREATE_VCPU.code] = noted(abi.CREATE_VCPU, found[abi.CREATE_VCPU.code])
        found[abi.GET_IRQCHIP.code] = self._get_chip
        found[abi.GET_LAPIC.code] = self._get_lapic
        found[abi.GET_MP_STATE.code] = self._get_mp_state
        return found

    def _get_chip(self, request: bytearray) -> int:
        request[8:] = self.chips[unpack_from("<I", request)[0]]
        return 0

    def _get_lapic(self, request: bytearray) -> int:
        request[:] = b"\x5a" * 1024
        return 0

    def _get_mp_state(self, request: bytearray) -> int:
        pack_into("<I", request, 0, self.mp_state)
        return 0

    def names(self) -> list[str]:
        return [name for name, _ in self.asked]


class Rig:
    """An accelerator with controllers on such a kernel, without memory."""

    def __init__(self, kind: InterruptChip, **lacks: int) -> None:
        self.system = MemorySystem()
        memory, io = (
            self.system.address_space(name, self.system.container(name, size))
            for name, size in (("memory", 1 << 64), ("I/O", 0x10000))
        )
        self.kernel = ChipKernel(**lacks)
        self.accelerator = KvmAccelerator(
            memory, io, [NoInterrupts()], kernel=self.kernel, chip=kind,
            processors=[Processor(apic_id=6, cores=8)],
        )  # fmt: skip
        self.chip = self.accelerator.irqchip

    def run(self, *script):
        self.kernel.script = [*script]
        vcpu = self.accelerator.vcpu()
        vcpu.prepare()
        return vcpu.run()


def routes(request: bytes) -> list[tuple[int, ...]]:
    """Return gsi, type, and the words of what it goes to."""
    count, flags = unpack_from("<II", request)
    assert (flags, len(request)) == (0, 8 + 48 * count)
    found = [unpack_from("<12I", request, 8 + 48 * n) for n in range(count)]
    assert all(each[2:4] == (0, 0) for each in found)
    return [(each[0], each[1], *each[4:7]) for each in found]


def test_all_controllers_are_made_before_the_first_vcpu_and_wired_as_a_pc():
    """Line 0 is pin 2 of the I/O APIC (ACPI tells that the timer's interrupt is overridden)."""
    rig = Rig(ALL)
    assert rig.kernel.names()[:3] == [
        "KVM_CREATE_IRQCHIP",
        "KVM_SET_GSI_ROUTING",
        "KVM_CREATE_VCPU",
    ]
    assert rig.kernel.asked[2][1] == 6, "its APIC's id is the vCPU's"
    found = routes(rig.kernel.asked[1][1])
    to_pic = {(gsi, chip, pin) for gsi, _, chip, pin, _ in found if chip < 2}
    assert to_pic == {(n, 0, n) for n in range(8)} | {(n, 1, n - 8) for n in range(8, 16)}
    to_ioapic = {(gsi, pin) for gsi, _, chip, pin, _ in found if chip == 2}
    assert to_ioapic == {(0, 2)} | {(n, n) for n in range(24) if n not in {0, 2}}
    assert {each[1] for each in found} == {1}
    rig.accelerator.close()


def test_lines_and_messages_go_to_the_kernel():
    rig = Rig(ALL)
    rig.kernel.asked.clear()
    rig.chip.set_line(9, True)
    rig.chip.set_line(9, False)
    rig.chip.send(0xFEE01004, 0x4931)
    assert rig.kernel.asked == [
        ("KVM_IRQ_LINE", pack("<II", 9, 1)),
        ("KVM_IRQ_LINE", pack("<II", 9, 0)),
        ("KVM_SIGNAL_MSI", pack("<QI20x", 0xFEE01004, 0x4931)),
    ]
    rig.accelerator.close()


def test_a_reset_makes_them_what_they_were():
    rig = Rig(ALL)
    made = [pack("<I4x", n) + bytes((n,)) * 512 for n in range(3)]
    rig.kernel.asked.clear()
    rig.chip.reset()
    assert rig.kernel.asked == [("KVM_SET_IRQCHIP", each) for each in made]
    rig.kernel.asked.clear()
    rig.kernel.mp_state = HALTED
    rig.accelerator.vcpu().reset()
    assert rig.kernel.asked == [("KVM_SET_LAPIC", b"\x5a" * 1024), ("KVM_SET_MP_STATE", bytes(4))]
    rig.accelerator.close()


def test_local_apics_alone():
    """The machine's I/O APIC says what it sends, so that the kernel tells the ends of levels."""
    rig = Rig(SPLIT)
    name, request = rig.kernel.asked[0]
    assert name == "KVM_ENABLE_CAP"
    assert unpack_from("<IIQ", request) == (Cap.SPLIT_IRQCHIP, 0, 24)
    assert rig.kernel.names()[1] == "KVM_CREATE_VCPU"
    assert "KVM_CREATE_IRQCHIP" not in rig.kernel.names()
    ioapic = IoApic(lambda _: None)
    ioapic._write(0, 0x10 + 2 * 9 + 1, 4)
    ioapic._write(0x10, 0x0300_0000, 4)
    ioapic._write(0, 0x10 + 2 * 9, 4)
    ioapic._write(0x10, 0x8931, 4)  # a level, lowest priority, logical
    rig.kernel.asked.clear()
    rig.chip.route([each.to_msi() for each in ioapic.messages()])
    ((name, request),) = rig.kernel.asked
    found = routes(request)
    assert len(found) == 24
    assert found[9] == (9, 2, 0xFEE0_3004, 0, 0xC131)
    ended = []
    rig.chip.on_eoi = ended.append
    assert rig.run(Eoi(0x31), Eoi(0x31), Other(ExitCode.SHUTDOWN)).reason is ExitReason.SHUTDOWN
    assert ended == [0x31, 0x31]
    rig.chip.reset()
    assert len(rig.kernel.asked) == 1, "nothing of it is the kernel's"
    rig.accelerator.close()


def test_a_cpu_that_is_started_or_halts_inside_the_kernel():
    rig = Rig(ALL)
    assert rig.run(BlockingIOError()).reason is ExitReason.KICKED
    assert rig.run(Eintr()).reason is ExitReason.KICKED
    rig.kernel.mp_state = HALTED
    assert rig.run(Eintr()).reason is ExitReason.HALTED
    assert not rig.accelerator.vcpu().execution.halted, "the kernel goes on to wait"
    rig.accelerator.close()


@pytest.mark.parametrize(
    ("kind", "cap"), [(SPLIT, "SPLIT_IRQCHIP"), (SPLIT, "SIGNAL_MSI"), (ALL, "IRQCHIP")]
)
def test_a_kernel_that_has_them_not_is_refused_by_name(kind, cap):
    words = f"has no KVM_CAP_{cap}, which kernel-irqchip={kind.value} needs: give off$"
    with pytest.raises(UnsupportedError, match=words):
        Rig(kind, **{cap: 0})


@pytest.mark.parametrize("engine", ["unicorn", "none"])
def test_an_engine_that_has_none_is_refused_by_name(engine):
    if engine == "unicorn":
        pytest.importorskip("unicorn")
    with MemorySystem() as system:
        memory = system.address_space("memory", system.container("memory", 1 << 64))
        io = system.address_space("I/O", system.container("I/O", 0x10000))
        with pytest.raises(UnsupportedError, match=f"'{engine}' has no interrupt controllers"):
            open_accelerator(engine, memory, io, [NoInterrupts()], chip=SPLIT)


def test_a_message_is_the_same_after_its_way_as_a_write():
    for message in (
        InterruptMessage(0xFF, False, DeliveryMode.FIXED, 0x31, True),
        InterruptMessage(3, True, DeliveryMode.LOWEST_PRIORITY, 0xFE, False),
        InterruptMessage(0, False, DeliveryMode.NMI, 0, False),
    ):
        address, data = message.to_msi()
        assert address >> 20 == 0xFEE
        assert data >> 14 & 1, "asserted"
        assert InterruptMessage.from_msi(address, data) == message
