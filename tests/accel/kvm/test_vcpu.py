"""A vCPU's exits, answered as the kernel gives them; what the kernel does is scripted."""

from __future__ import annotations

import errno
import threading
from struct import unpack_from

import msgspec
import pytest

from guestmap.accel import ExitReason, Register, RunLoop
from guestmap.accel.kvm.abi import ExitCode
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.kvm.speed import instructions_per_s
from guestmap.accel.vcpu import Activity
from guestmap.accel.vcpu_state import EFER, MSRS, TSC_AUX
from guestmap.base import ConfigError, HostClock, HostError, StateError, UnsupportedError
from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem
from guestmap.memory.hear import EventNotifier
from tests.accel.kvm.fake_vcpu import CpuKernel, Eintr, Internal, Mmio, Other, Ports

ANY = AccessSizes(min=1, max=8, unaligned=True)


class Line:
    def __init__(self) -> None:
        self.vectors: list[int] = []

    @property
    def pending(self) -> bool:
        return bool(self.vectors)

    def acknowledge(self) -> int:
        return self.vectors.pop(0)


class Rig:
    """A machine of one device and 64 KiB of ports, both of which log."""

    def __init__(self, **lacks: int) -> None:
        self.system = MemorySystem()
        self.log: list[tuple[str, int, int, int]] = []
        self.values: list[int] = []
        self.on_write = lambda: None
        ops = MemoryRegionOps(read=self._read, write=self._write, valid=ANY, impl=ANY)
        root = self.system.container("root", 1 << 64)
        root.add_subregion(0xE0000000, self.system.io("device", 0x1000, ops))
        self.root = root
        self.memory = self.system.address_space("memory", root)
        self.io = self.system.address_space("I/O", self.system.io("io", 0x10000, ops))
        self.kernel, self.line = CpuKernel(**lacks), Line()
        self.accelerator = KvmAccelerator(self.memory, self.io, [self.line], kernel=self.kernel)
        self.vcpu = self.accelerator.vcpu()

    def _read(self, offset: int, size: int) -> int:
        value = self.values.pop(0) if self.values else 0
        self.log.append(("r", offset, size, value))
        return value

    def _write(self, offset: int, value: int, size: int) -> None:
        self.log.append(("w", offset, size, value))
        self.on_write()

    def run(self, *exits):
        self.kernel.script = list(exits)
        self.vcpu.prepare()
        return self.vcpu.run()


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.accelerator.close()
    assert not made.kernel.open_fds


HLT = Other(ExitCode.HLT)


def test_device_accesses_of_any_length(rig):
    rig.values = [0x11223344]
    read = Mmio(0xE0000010, 4)
    rig.run(read, Mmio(0xE0000020, 2, b"\x34\x12"), Mmio(0xE0000031, 3, b"abc"), HLT)
    assert read.answer == bytes.fromhex("44332211")
    assert rig.log[:2] == [("r", 0x10, 4, 0x11223344), ("w", 0x20, 2, 0x1234)]
    written = b"".join(value.to_bytes(size, "little") for _, _, size, value in rig.log[2:])
    assert written == b"abc"


def test_string_accesses_of_a_port_are_carried_out_one_by_one(rig):
    rig.values = [1, 2, 3]
    ins = Ports(0x1F0, 2, 3)
    rig.run(ins, Ports(0x80, 1, 2, b"\x05\x06"), HLT)
    assert ins.answer == b"\1\0\2\0\3\0"
    assert rig.log[3:] == [("w", 0x80, 1, 5), ("w", 0x80, 1, 6)]
    counts = rig.accelerator.statistics()
    assert (counts.port_reads, counts.port_writes) == (3, 2)


def test_an_exit_that_is_stale_is_not_carried_out_again(rig):
    """After EINTR the page still has the access before: an OUT would happen twice."""
    assert rig.run(Ports(0x80, 1, 1, b"\x07"), Eintr()).reason is ExitReason.KICKED
    assert rig.run(HLT).reason is ExitReason.HALTED
    assert rig.log == [("w", 0x80, 1, 7)]


def test_a_kick_before_the_run_ends_it_once(rig):
    rig.vcpu.kick()
    assert rig.run(Ports(0x80, 1, 1, b"\x01"), HLT).reason is ExitReason.KICKED
    assert rig.log == []
    rig.vcpu.prepare()
    assert rig.vcpu.run().reason is ExitReason.HALTED


def test_an_access_is_finished_before_registers_are_touched(rig):
    """The kernel takes the answer at the next KVM_RUN, and would overwrite what was set."""
    loop = RunLoop(rig.vcpu, HostClock())

    def fail() -> None:
        raise ZeroDivisionError

    rig.on_write = fail
    rig.root.add_subregion(0xE0001000, rig.system.io("next", 4, MemoryRegionOps()))
    rig.kernel.script = [Mmio(0xE0000FFC, 4, b"left"), Mmio(0xE0001000, 4, b"over")]
    with pytest.raises(ZeroDivisionError):
        loop.run()
    rig.on_write = lambda: None
    rig.kernel.events.clear()
    rig.vcpu.write_register(Register.EIP, 0x1234)
    assert rig.kernel.events[:3] == ["run", "run", "get regs"], "the second half came out"
    assert rig.vcpu.read_register(Register.EIP) == 0x1234


@pytest.mark.parametrize(
    "end",
    [HLT, Other(ExitCode.SHUTDOWN), Other(ExitCode.DEBUG), Other(777), Eintr(), OSError(14, "")],
)
def test_after_an_end_there_is_nothing_to_finish(rig, end):
    rig.run(Ports(0x80, 1, 1, b"\0"), end)
    rig.kernel.events.clear()
    rig.vcpu.read_register(Register.EIP)
    assert rig.kernel.events == ["get regs", "get sregs"]


@pytest.mark.parametrize("end", [HLT, Other(ExitCode.DEBUG), Eintr()])
def test_registers_that_the_kernel_has_put_into_the_page_are_not_asked_for(end):
    rig = Rig(SYNC_REGS=3)
    rig.vcpu.write_register(Register.EIP, 0x1234)
    rig.run(Ports(0x80, 1, 1, b"\0"), end)
    rig.kernel.events.clear()
    assert rig.vcpu.read_register(Register.EIP) == 0x1234
    assert rig.kernel.events == []
    rig.vcpu.write_register(Register.EIP, 0x5678)
    assert rig.vcpu.read_register(Register.EIP) == 0x5678
    assert rig.kernel.events == ["set sregs", "set regs", "get regs", "get sregs"]
    rig.run(Eintr())
    rig.run(OSError(14, ""))
    rig.kernel.events.clear()
    assert rig.vcpu.read_register(Register.EIP) == 0x5678
    assert rig.kernel.events == ["get regs", "get sregs"], "what failed has put nothing there"
    rig.accelerator.close()


def interrupted(rig) -> None:
    """Have a device fail in the middle of an access."""

    def fail() -> None:
        raise ZeroDivisionError

    rig.on_write = fail
    with pytest.raises(ZeroDivisionError):
        rig.run(Mmio(0xE0000000, 4, b"left"))
    rig.on_write = lambda: None


def test_what_was_finished_is_no_kick(rig):
    interrupted(rig)
    rig.vcpu.read_register(Register.EIP)
    assert rig.run(HLT).reason is ExitReason.HALTED


def test_what_the_kernel_does_not_finish_is_not_tried_again(rig, monkeypatch):
    def refuse(_argument: int) -> int:
        rig.kernel._waiting = None
        raise OSError(errno.EFAULT, "refused")

    interrupted(rig)
    with monkeypatch.context() as patch:
        patch.setattr(rig.kernel, "_run", refuse)
        with pytest.raises(HostError, match=r"KVM_RUN fails at .*: Bad address"):
            rig.vcpu.read_register(Register.EIP)
    rig.kernel.events.clear()
    rig.vcpu.read_register(Register.EIP)
    assert "run" not in rig.kernel.events


def test_an_interrupt_is_given_when_the_guest_takes_it(rig):
    rig.line.vectors = [0x20, 0x21]
    rig.run(HLT)  # the page says nothing yet
    assert rig.kernel.injected == []
    assert rig.kernel.windows[-1] is True
    rig.kernel.ready = True
    rig.vcpu.execution.halted = False
    rig.run(Other(ExitCode.IRQ_WINDOW_OPEN), Other(ExitCode.IRQ_WINDOW_OPEN), HLT)
    assert rig.kernel.injected == [0x20, 0x21]
    assert rig.kernel.windows[-1] is False


def test_only_one_interrupt_is_given_at_a_time(rig):
    """The kernel would let the second take the place of the first."""
    rig.kernel.ready = True
    rig.run(Ports(0x80, 1, 1, b"\0"), HLT)
    rig.line.vectors = [0x20, 0x21]
    rig.vcpu.knows_interrupts()
    rig.vcpu.execution.halted = False
    rig.run(Eintr())  # the page says what it said before
    rig.kernel.ready = False
    rig.run(HLT)
    assert rig.kernel.injected == [0x20]
    assert rig.kernel.windows[-1] is True


def accepting(rig) -> None:
    """Have the kernel be given a vector that the guest has not taken when it is kicked."""
    rig.kernel.ready = True
    rig.run(Ports(0x80, 1, 1, b"\0"), Other(ExitCode.INTR))
    rig.line.vectors = [0x20]
    rig.vcpu.kick()
    assert rig.run().reason is ExitReason.KICKED
    assert (rig.kernel.injected, rig.line.vectors) == ([0x20], [])


def test_an_interrupt_that_was_given_and_not_taken_is_saved(rig):
    accepting(rig)
    state = rig.vcpu.save()
    assert state.accepted == 0x20
    other = Rig()
    other.vcpu.load(state)
    assert other.vcpu.save() == state
    other.kernel.ready = True
    other.run(Other(ExitCode.IRQ_WINDOW_OPEN), HLT)
    assert other.kernel.injected == [0x20]
    assert other.vcpu.save().accepted is None
    other.accelerator.close()


@pytest.mark.parametrize("how", ["reset", "load"])
def test_a_cpu_that_becomes_another_forgets_what_it_was_about_to_take(rig, how):
    state = rig.vcpu.save()
    accepting(rig)
    if how == "reset":
        rig.vcpu.reset()
    else:
        rig.vcpu.load(state)
    assert rig.vcpu.save().accepted is None


def test_a_halted_guest_waits_for_what_it_allows(rig):
    rig.run(HLT)
    assert rig.vcpu.prepare() is Activity.HALTED_FOR_GOOD
    rig.kernel.set_flags(0x202)
    assert rig.vcpu.prepare() is Activity.HALTED
    rig.line.vectors = [0x20]
    assert rig.vcpu.prepare() is Activity.ACTIVE


@pytest.mark.parametrize(
    ("exit_", "reason", "words"),
    [
        (Other(ExitCode.SHUTDOWN), ExitReason.SHUTDOWN, "triple fault"),
        (Other(ExitCode.DEBUG), ExitReason.DEBUG, ""),
        (Other(ExitCode.INTR), ExitReason.KICKED, ""),
        (Internal(1, (0xF, 0x10)), ExitReason.ERROR, "INTERNAL_ERROR, suberror 1, data f 10 at"),
        (Internal(3, ()), ExitReason.ERROR, "INTERNAL_ERROR, suberror 3, data none at"),
        (Other(ExitCode.FAIL_ENTRY), ExitReason.ERROR, "FAIL_ENTRY, hardware reason 0x"),
        (Other(777), ExitReason.ERROR, "exit 777 at 0000:"),
        (OSError(28, ""), ExitReason.ERROR, "no memory that the vCPU could run in"),
        (OSError(14, ""), ExitReason.ERROR, "KVM_RUN fails at .*: Bad address"),
    ],
)
def test_ends_are_told(rig, exit_, reason, words):
    import re

    end = rig.run(exit_)
    assert end.reason is reason
    assert re.search(words, end.message)


def test_a_kick_of_a_running_cpu_is_a_flag_and_a_signal(rig):
    rig.kernel.inside, rig.kernel.go_on = threading.Event(), threading.Event()
    ends = []
    runner = threading.Thread(target=lambda: ends.append(rig.run(Other(ExitCode.INTR))))
    runner.start()
    assert rig.kernel.inside.wait(30)
    rig.vcpu.kick()
    assert rig.kernel.page[1] == 1
    rig.kernel.go_on.set()
    runner.join(30)
    assert ends[0].reason is ExitReason.KICKED


def test_slots_are_changed_with_no_vcpu_in_the_guest(rig):
    """Memory that gives way to other memory: in between there is neither."""
    rig.root.add_subregion(0, old := rig.system.ram("old", 0x1000))
    rig.kernel.inside, rig.kernel.go_on = threading.Event(), threading.Event()
    rig.kernel.leave_when_kicked = True
    runner = threading.Thread(target=lambda: rig.run(Eintr()))
    runner.start()
    assert rig.kernel.inside.wait(30)
    with rig.system.transaction():
        rig.root.del_subregion(old)
        rig.root.add_subregion(0, rig.system.ram("new", 0x1000))
    assert rig.kernel.changed_while_inside == 0
    rig.kernel.go_on.set()
    runner.join(30)


def test_state_goes_out_and_in_again(rig):
    state = rig.vcpu.save()
    assert len(state.vectors) == 16
    state.general[3], state.rip, state.fpu.control = 0x1122334455667788, 0x7C00, 0x37F
    state.fpu.status, state.fpu.tag = 3 << 11, 0x3FFF
    state.fpu.registers[7] = (1 << 63, 0x3FFF)
    rig.vcpu.load(state)
    assert rig.vcpu.save() == state
    state.a20 = False
    with pytest.raises(UnsupportedError, match="A20"):
        rig.vcpu.load(state)


def test_model_specific_registers_that_there_are_go_out_and_in_again(rig):
    state = rig.vcpu.save()
    assert set(state.msrs) == set(MSRS) - {TSC_AUX}
    state.msrs.update({number: 0x1_0000_0000 + number for number in state.msrs if number != EFER})
    rig.vcpu.load(msgspec.structs.replace(state, msrs=state.msrs | {TSC_AUX: 5}))
    assert rig.vcpu.save() == state


# Where <asm/kvm.h> has the fields of kvm_regs, kvm_sregs, kvm_vcpu_events, kvm_fpu and
# kvm_debugregs, by the names that a saved state has for them.
_ORDER = ("rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi")
_KVM_ORDER = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rsp", "rbp")
_ES_CS_SS_DS_FS_GS_LDTR_TR = (48, 0, 120, 24, 72, 96, 168, 144)
_FIELDS = [
    *(
        ("regs", 8 * _KVM_ORDER.index(name), 8, f"general.{n}", 0x1122_3344_5566_7700 + n)
        for n, name in enumerate(_ORDER)
    ),
    *(("regs", 8 * n, 8, f"general.{n}", 0x1122_3344_5566_7700 + n) for n in range(8, 16)),
    ("regs", 128, 8, "rip", 0x1_0000_1234),
    ("regs", 136, 8, "rflags", 0x202),
    *(("sregs", 224 + 8 * i, 8, f"control.{n}", 0x31) for i, n in enumerate((0, 2, 3, 4, 8))),
    ("sregs", 264, 8, f"msrs.{EFER}", 0x501),
    ("events", 11, 1, "shadow", True),
    ("events", 24, 1, "smm", True),
    ("events", 25, 1, "smi", True),
    ("fpu", 408, 4, "mxcsr", 0x1F80),
    ("fpu", 128, 2, "fpu.control", 0x37F),
    ("fpu", 130, 2, "fpu.status", 0x4142),
    *(("fpu", 152 + 16 * n, 16, f"vectors.{n}", (0x51 + n << 120 | n)) for n in range(16)),
    *(("debug", 8 * n, 8, f"debug.{n}", 0x1_0000_0001 + n) for n in range(4)),
    ("debug", 32, 8, "debug.6", 0xFFFF0FF0),
    ("debug", 40, 8, "debug.7", 0x455),
]


@pytest.mark.parametrize(("structure", "at", "size", "name", "value"), _FIELDS)
def test_each_field_is_where_the_kernel_has_it(rig, structure, at, size, name, value):
    kept = rig.kernel._state[structure]
    before = rig.vcpu.save()
    kept[at : at + size] = int(value).to_bytes(size, "little")
    state = rig.vcpu.save()
    found, first = state, before
    for part in name.split("."):
        found, first = (
            each[int(part)] if part.isdigit() else getattr(each, part) for each in (found, first)
        )
    assert found == (value.to_bytes(16, "little") if size == 16 else value)
    assert first != found
    rig.vcpu.load(before)
    assert not any(rig.kernel._state[structure][at : at + size])
    rig.vcpu.load(state)
    assert rig.kernel._state[structure][at : at + size] == int(value).to_bytes(size, "little")
    if structure == "events":  # which of its fields count: shadow and SMM
        assert unpack_from("<I", rig.kernel._state[structure], 20) == (4 | 8,)


class NoSmm(CpuKernel):
    """It is built without system management mode."""

    def _get_msr(self, request: bytearray) -> int:
        return 0 if unpack_from("<I", request, 8)[0] == 0x9E else super()._get_msr(request)

    def _set(self, name: str, of: bytearray) -> int:
        if name == "events" and unpack_from("<I", of, 20)[0] & 8:
            raise OSError(errno.EINVAL, "refused")
        return super()._set(name, of)


def test_state_where_there_is_no_system_management_mode(rig):
    kernel = NoSmm()
    accelerator = KvmAccelerator(rig.memory, rig.io, [rig.line], kernel=kernel)
    vcpu = accelerator.vcpu()
    state = vcpu.save()
    assert (state.smbase, state.smm, state.smi) == (0x30000, False, False)
    state.shadow = True
    vcpu.load(state)
    assert vcpu.save() == state
    assert 0x9E not in kernel._msrs
    for name in ("smm", "smi"):
        with pytest.raises(UnsupportedError, match="system management mode"):
            vcpu.load(msgspec.structs.replace(state, **{name: True}))
    accelerator.close()


def test_registers_of_another_kind_of_cpu_are_left_alone(rig):
    state = rig.vcpu.save()
    rig.kernel._msrs.clear()
    more = msgspec.structs.replace(
        state, control=state.control | {1: 5, 99: 7}, msrs=state.msrs | {0xDEAD_0000: 1}
    )
    rig.vcpu.load(more)
    assert rig.vcpu.save() == state
    assert set(rig.kernel._msrs) == set(MSRS) - {EFER, TSC_AUX} | {0x9E}


def test_a_vm_that_the_kernel_has_given_up_is_an_end_and_no_exception(rig):
    """Linux 7.2 does so where the state of an SMI goes to no memory: EIO, for all that comes."""

    def refuse(_name, _to):
        raise OSError(errno.EIO, "Input/output error")

    rig.run(HLT)
    rig.kernel._get = refuse
    rig.vcpu.execution.halted = False
    end = rig.run(OSError(errno.EIO, "Input/output error"))
    assert end.reason is ExitReason.ERROR
    assert end.message == (
        "KVM: KVM_RUN fails at a place that the kernel does not tell: Input/output error"
    )


def test_what_there_is_not(rig):
    with pytest.raises(ConfigError, match="no vCPU 1: engine 'kvm' has 1"):
        rig.accelerator.vcpu(1)
    rig.accelerator.close()
    with pytest.raises(StateError, match="closed"):
        rig.vcpu.save()
    rig.vcpu.kick()


def test_who_is_closed_listens_to_no_address_space():
    rig = Rig()
    assert rig.memory.listeners
    assert rig.io.listeners
    rig.accelerator.close()
    assert not rig.memory.listeners
    assert not rig.io.listeners


class NoCpuid(CpuKernel):
    """It makes a vCPU, and then does not like what CPUID is to answer."""

    def _set_cpuid(self, table: bytearray) -> int:
        raise OSError(errno.EINVAL, "refused")


class NoMap(CpuKernel):
    """It makes a vCPU, and then the process has no descriptor left to map it with."""

    def map(self, fd: int, size: int, offset: int = 0) -> bytearray:
        raise OSError(errno.EMFILE, "refused")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoCpuid, "KVM_SET_CPUID2 of vCPU 0: Invalid argument"),
        (NoMap, "of vCPU 0 cannot be mapped: Too many open files"),
    ],
)
def test_a_vcpu_that_cannot_be_prepared_is_given_back(rig, kind, words):
    kernel = kind()
    with pytest.raises(HostError, match=words):
        KvmAccelerator(rig.memory, rig.io, [rig.line], kernel=kernel)
    assert not kernel.open_fds


def test_a_vcpu_whose_speed_cannot_be_measured_is_given_back():
    kernel = CpuKernel()
    kernel.script = [Other(ExitCode.SHUTDOWN)]
    with pytest.raises(HostError, match="does not run a loop"):
        instructions_per_s(kernel)
    assert not kernel.open_fds


def with_smm(rig: Rig) -> None:
    """Give the vCPU a map for system management mode: RAM below, and a device in another place."""
    smm = rig.system.container("smm", 1 << 64)
    rig.root.add_subregion(0, rig.system.ram("ram", 0x10000))
    smm.add_subregion(0, rig.system.alias("all", rig.root, 0, 1 << 64))
    smm.add_subregion(0xA000, rig.system.ram("smram", 0x1000), 1)
    ops = MemoryRegionOps(read=lambda _at, _size: 0x5A, valid=ANY, impl=ANY)
    smm.add_subregion(0xD0000000, rig.system.io("latch", 4, ops))
    rig.vcpu.smm_memory = rig.system.address_space("cpu-smm-0", smm)


def test_system_management_mode_has_slots_and_devices_of_its_own():
    rig = Rig(MULTI_ADDRESS_SPACE=2)
    with_smm(rig)
    rig.kernel.reads_within = True  # nobody answers outside: that is told with its place
    assert rig.accelerator.capabilities.smm
    slots = {number: (each.start, each.size) for number, each in rig.kernel.slots.items()}
    assert slots == {
        0: (0, 0x10000), 0x10000: (0, 0xA000), 0x10001: (0xA000, 0x1000), 0x10002: (0xB000, 0x5000),
    }  # fmt: skip
    reads = [Mmio(0xD0000000, 4, in_smm=inside) for inside in (False, True, False)]
    rig.run(*reads, HLT)
    assert [each.answer[0] for each in reads] == [0, 0x5A, 0]
    next(each for each in rig.root.subregions if each.name == "ram").set_enabled(False)
    assert sorted(rig.kernel.slots) == [0x10001], "one of each goes"
    rig.accelerator.close()


def test_a_system_management_interrupt_is_the_kernels_at_once_or_before_the_next_entry():
    rig = Rig(MULTI_ADDRESS_SPACE=2)
    with_smm(rig)
    told = []
    rig.vcpu.notify = lambda: told.append(True)
    rig.on_write = rig.vcpu.raise_smi
    with rig.vcpu.held():
        rig.run(Ports(0xB2, 1, 1, b"\0"), HLT)
    assert rig.kernel.events[-3:] == ["run", "smi", "run"], "after the access, before it goes on"
    assert not told
    rig.kernel.events.clear()
    rig.vcpu.raise_smi()
    assert (told, rig.kernel.events) == ([True], [])
    assert rig.vcpu.prepare() is Activity.ACTIVE, "it wakes a CPU that halts"
    assert rig.kernel.events == ["smi"]
    state = rig.vcpu.save()
    assert (state.smi, state.smm) == (True, False)
    rig.vcpu.reset()
    assert not rig.vcpu.save().smi
    rig.accelerator.close()


def test_a_kernel_without_system_management_mode(rig):
    with_smm(rig)
    assert not rig.accelerator.capabilities.smm
    assert list(rig.kernel.slots) == [0]
    rig.vcpu.raise_smi()
    rig.vcpu.prepare()
    assert "smi" not in rig.kernel.events


def test_cpuid_leaves_out_what_the_machine_does_itself(rig):
    leaves = rig.kernel.cpuid
    assert leaves[1][2] & (1 << 21 | 1 << 24) == 0, "x2APIC, TSC deadline"
    assert leaves[1][2] & 1 << 22, "MOVBE stays"
    assert leaves[0x40000001][0] == 1 << 3 | 1 << 24, "kvmclock alone"


# -- bells -----------------------------------------------------------------------------------------


def test_bells_are_the_kernels_and_taken_back_as_they_were(rig):
    device = next(iter(rig.memory.view)).region
    bells, made = [EventNotifier() for _ in range(3)], rig.kernel.bells
    add, remove = rig.system.ioeventfds.add, rig.system.ioeventfds.remove
    add(device, 0x10, 4, None, bells[0])
    add(device, 0x20, 2, 0x1234, bells[1])
    port = next(iter(rig.io.view)).region
    add(port, 0xAE0, 1, None, bells[2])
    assert made == [
        (0, 0xE0000010, 4, bells[0].fd, 0),
        (0x1234, 0xE0000020, 2, bells[1].fd, 1),
        (0, 0xAE0, 1, bells[2].fd, 2),
    ]
    device.set_address(0xE0001000)
    assert sorted(bell[1] for bell in made) == [0xAE0, 0xE0001010, 0xE0001020]
    remove(device, 0x20, 2, 0x1234, bells[1])
    assert len(made) == 2
    for each in bells:
        each.close()


def test_a_bell_that_the_kernel_does_not_take_rings_all_the_same(rig):
    device = next(iter(rig.memory.view)).region
    one, other = EventNotifier(), EventNotifier()
    rig.system.ioeventfds.add(device, 0x10, 0, None, one)
    rig.system.ioeventfds.add(device, 0x10, 4, 7, other)
    assert len(rig.kernel.bells) == 1, "one of any width excludes others"
    rig.run(Mmio(0xE0000010, 4, (7).to_bytes(4, "little")), HLT)
    assert one.test_and_clear() or other.test_and_clear()
    rig.system.ioeventfds.remove(device, 0x10, 4, 7, other)
    assert len(rig.kernel.bells) == 1
    one.close()
    other.close()
