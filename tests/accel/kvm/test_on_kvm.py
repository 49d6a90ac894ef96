"""A real /dev/kvm: firmware to its end, the slots it needs, and a kernel that refuses some."""

from __future__ import annotations

import ctypes
import errno
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from struct import unpack_from

import pytest

from guestmap.accel import ExitReason, Register
from guestmap.accel.in_vain import Why
from guestmap.accel.kvm import abi
from guestmap.accel.kvm.kernel import HostKernel
from guestmap.accel.kvm.registers import Registers
from guestmap.base import HostError, UnsupportedError
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.kvm_slots import kvm_slots
from guestmap.inspect.ask.mappings import read_mappings
from guestmap.machine import MachineConfig, Phase, VirtualMachine, saved
from guestmap.machine.trace import TraceRange
from guestmap.memory.hear import EventNotifier
from guestmap.memory.ram.dirty import DirtyClient
from guestmap.monitor.commands import ours
from tests.accel.guest import CODE, FLAT_CODE, RAM_SIZE, ROM_BASE, Guest
from tests.accel.kvm.test_machine_slots import POST, wanted

pytestmark = pytest.mark.kvm


class Recording(HostKernel):
    """The host's kernel, whose slot requests are noted; one of them is refused."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.refuse_at = 0
        self.entries = 0

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
        self.entries += code == abi.RUN.code
        if code == abi.SET_USER_MEMORY_REGION.code:
            assert isinstance(argument, bytearray)
            number, flags, start, size = unpack_from("<IIQQ", argument)
            self.refuse_at -= 1
            if not self.refuse_at:
                raise OSError(errno.ENOMEM, "refused")
            result = super().ioctl(fd, code, argument)
            self.log.append(f"{number},{flags},{start:x},{size:x}" if size else f"del {number}")
            return result
        return super().ioctl(fd, code, argument)


@pytest.fixture
def kernel(monkeypatch):
    made = Recording()
    monkeypatch.setattr("guestmap.accel.kvm.vm.HostKernel", lambda: made)
    return made


def boot(engine: str) -> tuple[list[str], list[str]]:
    """Boot to the end; return each change of the map, and the firmware's log."""
    with VirtualMachine(MachineConfig(debugcon=True), engine=engine) as machine:
        changes: list[str] = []
        machine.board.system.subscribe(lambda record: changes.append(str(record.changes)))
        machine.run(until=Phase.HALT)
        return changes, [line.text for line in machine.log]


@pytest.mark.seabios
def test_firmware_comes_to_its_end_with_the_slots_that_it_needs(kernel):
    changes, log = boot("kvm")
    assert log[-1] == "No bootable device."
    assert kernel.log == wanted(POST)
    pytest.importorskip("unicorn")
    assert changes == boot("unicorn")[0]


@pytest.mark.seabios
def test_a_range_of_instructions_is_walked_to():
    """SeaBIOS' first instruction is a far jump to F000:E05B, from where it goes on in that page."""
    with VirtualMachine(MachineConfig(debugcon=True), engine="kvm") as machine:
        machine.trace.add(TraceRange.parse("fe000-fefff,x"), stops=True)
        machine.run(until=Phase.HALT)
        stopped = machine.trace.stopped.access
        assert (stopped.address, stopped.cs, stopped.ip) == (0xFE05B, 0xF000, 0xE05B)
        machine.run(until=Phase.HALT)
        assert 0xFE05B < machine.trace.stopped.access.address < 0xFF000
        machine.trace.clear()
        machine.run(until=Phase.PREINIT)
        assert machine.phases.phase is Phase.PREINIT


@pytest.mark.seabios
@pytest.mark.parametrize("stops", [False, True])
def test_an_instruction_is_told_of_once_and_passed(stops):
    with VirtualMachine(MachineConfig(debugcon=True), engine="kvm") as machine:
        machine.trace.add(TraceRange.parse("fe05b,x"), stops=stops)
        machine.run(until=Phase.PREINIT)
        assert (machine.phases.phase is Phase.PREINIT) != stops
        if stops:
            machine.run(until=Phase.PREINIT)
        assert (machine.phases.phase, machine.trace.total) == (Phase.PREINIT, 1)


@pytest.mark.seabios
def test_a_machine_tells_its_slots():
    with VirtualMachine(MachineConfig(debugcon=True), engine="kvm") as machine:
        machine.run(until=Phase.HALT)
        snapshot = ours.snapshot_of(machine)
        told = kvm_slots(snapshot)
        assert (told.compared, told.missing, told.surplus) == (True, (), ())
        mappings = read_mappings(Path("/proc/self/maps").read_text().splitlines(), source="maps")
        assert not kvm_slots(snapshot, None, mappings).unmapped
        assert len(kvm_slots(snapshot, None, []).unmapped) == len(told.slots)
        slot = explain(snapshot, 0x1000).slot
        assert slot.size == 0xC0000
        assert bytes(machine.board.cpu_memory.read(0x7C00, 16)) == ctypes.string_at(
            slot.host + 0x7C00, 16
        )


@pytest.mark.seabios
@pytest.mark.parametrize("number", [7, 14, 21])
def test_firmware_that_is_refused_a_slot(kernel, number):
    with VirtualMachine(MachineConfig(debugcon=True), engine="kvm") as machine:
        views = [machine.board.cpu_memory.view]
        machine.board.system.subscribe(lambda _: views.append(machine.board.cpu_memory.view))
        kernel.refuse_at = number - 5  # five were made before the first instruction
        with pytest.raises(HostError, match=r"KVM_SET_USER_MEMORY_REGION .*Cannot allocate"):
            machine.run(until=Phase.HALT)
        assert machine.board.cpu_memory.view is views[-1]
        shown = {(each.start, each.end) for each in views[-1]}
        live = machine.accelerator.listener._table.live.values()
        assert live
        assert all((each.slot.start, each.slot.end) in shown for each in live)


def test_what_a_guest_writes_is_in_the_log():
    """A kernel may count a page that was read for the first time, too: it can be written then."""
    with Guest("kvm") as guest:
        logging = guest.system.dirty_logging
        logging.start_global()

        def look() -> set[int]:
            log = logging.snapshot_and_clear(guest.ram, 0, RAM_SIZE, DirtyClient.MIGRATION)
            return set(log.pages())

        # mov al, 1; mov [5000h], al; hlt; mov [6000h], al; hlt
        guest.real(b"\xb0\x01\xa2\x00\x50\xf4\xa2\x00\x60\xf4")
        look()
        assert guest.run().reason is ExitReason.HALTED
        assert {0x5000} <= look() <= {CODE, 0x5000}
        guest.vcpu.write_register(Register.EIP, CODE + 6)
        guest.run()
        assert look() == {0x6000}


WRITER = (
    b"\xbf\x00\x00\x10\x00"  # mov edi, 100000h
    b"\x8d\x44\x80\x01\x89\x07"  # again: lea eax, [eax*4+eax+1]; mov [edi], eax
    b"\x81\xc7\x04\x10\x00\x00"  # add edi, 1004h
    b"\x81\xe7\xfc\xff\x0f\x00\x81\xcf\x00\x00\x10\x00"  # and edi, FFFFCh; or edi, 100000h
    b"\xff\x05\x00\x90\x00\x00"  # inc dword [9000h]
    b"\xf7\x05\x00\x90\x00\x00\xff\x07\x00\x00\x75\xd6"  # test dword [9000h], 7FFh; jnz again
    b"\xe6\x80\xeb\xd2"  # out 80h, al; jmp again
)
"""Writes all over the second MiB, and tells after each 2,048 words."""


class Copier:
    """Copies a guest's RAM by the dirty log alone, as a migration does."""

    def __init__(self, guest: Guest) -> None:
        self.guest = guest
        self.copy = bytearray(RAM_SIZE)
        self.logging = guest.system.dirty_logging
        self.logging.start_global()

    def fetch(self) -> None:
        ram = self.guest.ram
        log = self.logging.snapshot_and_clear(ram, 0, RAM_SIZE, DirtyClient.MIGRATION)
        for page in log.pages():
            self.copy[page : page + 0x1000] = ram.buffer[page : page + 0x1000]


@pytest.fixture(params=["kvm", "kvm,dirty-ring-size=1024"])
def logged(request):
    """A guest whose writes are told in bitmaps, or in a ring."""
    try:
        guest = Guest(request.param)
    except UnsupportedError as error:
        pytest.skip(str(error))
    with guest:
        yield guest


def test_a_copy_by_the_log_alone_is_the_original(logged):
    """As a migration copies: again and again while the guest writes all over, then at rest."""
    with nullcontext(logged) as guest:
        copier = Copier(guest)
        guest.on_port[0x80] = lambda _: guest.loop.stop()
        guest.flat(WRITER)
        for rounds in range(1, 6):
            assert guest.run().reason is ExitReason.STOPPED
            assert guest.memory.load(0x9000, 4) == 2048 * rounds
            copier.fetch()
            guest.memory.write(0x1F0000 + 4 * rounds, b"own!")  # ours, among the guest's
        copier.fetch()
        assert copier.copy == guest.ram.buffer
        written = [any(copier.copy[at : at + 0x1000]) for at in range(0x100000, 0x200000, 0x1000)]
        assert sum(written) > 200


def test_a_copy_that_is_made_while_the_guest_writes_misses_nothing(logged):
    with nullcontext(logged) as guest:
        copier = Copier(guest)
        copier.fetch()
        looks = []
        guest.flat(WRITER)

        def copy() -> None:
            while len(looks) < 40 or len(guest.ports) < 5:
                copier.fetch()
                looks.append(len(guest.ports))
                time.sleep(0.005)  # a look has the CPU come out: let it get on
            guest.loop.stop()

        thread = threading.Thread(target=copy)
        thread.start()
        assert guest.run().reason is ExitReason.STOPPED
        thread.join()
        copier.fetch()
        assert copier.copy == guest.ram.buffer


@pytest.mark.parametrize("kicks", [1_000, pytest.param(200_000, marks=pytest.mark.long)])
def test_no_kick_is_lost_between_the_check_and_the_guest(kicks):
    """Each kick comes at another moment of a run that begins, goes on, or ends."""
    with Guest("kvm") as guest:
        guest.flat(b"\xeb\xfe")
        returned, wanted = [0], [True]

        def run() -> None:
            while wanted[0]:
                guest.vcpu.prepare()
                assert guest.vcpu.run().reason is ExitReason.KICKED
                returned[0] += 1

        runner = threading.Thread(target=run)
        runner.start()
        lost = 0
        for number in range(kicks):
            if not number % 5_000:  # so that it is seen to get on, however busy the host
                print(f"{number} kicks", flush=True)
            before = returned[0]
            for _ in range(number % 64):
                pass
            guest.vcpu.kick()
            deadline, looks = time.monotonic() + 10, 0
            while returned[0] == before and not lost:
                time.sleep(0)
                looks += 1  # a machine that has stood still as a whole has lost nothing
                lost += time.monotonic() > deadline and looks > 1_000
        wanted[0] = False
        while runner.is_alive():
            guest.vcpu.kick()
            runner.join(0.01)
        assert not lost


@pytest.mark.parametrize("then", ["kvm", "unicorn"])
def test_an_interrupt_that_was_given_and_not_taken_is_in_the_state(then):
    with Guest("kvm") as first, Guest(then) as second:
        for guest in (first, second):
            guest.vector(0x20, 0x2000)
            guest.memory.write(0x2000, b"\xe6\x81\xfa\xf4")  # out 81h, al; cli; hlt
        first.on_port[0x80] = lambda _: first.loop.stop()
        first.real(b"\xfb\x90\xe6\x80\x90\xeb\xfd")  # sti; nop; out 80h, al; nop; jmp $-1
        assert first.run().reason is ExitReason.STOPPED
        first.line.vectors.append(0x20)
        first.vcpu.prepare()
        first.vcpu.kick()
        assert first.vcpu.run().reason is ExitReason.KICKED
        assert first.line.vectors == [], "the kernel has it"
        state = first.vcpu.save()
        assert state.accepted == 0x20
        second.memory.write(CODE, first.memory.read(CODE, 16))
        second.vcpu.load(state)
        assert second.run().reason is ExitReason.HALTED
        assert len(second.value(0x81)) == 1
        first.vcpu.reset()
        assert first.vcpu.save().accepted is None


def test_the_page_has_the_registers_that_the_kernel_tells():
    """At exits in the middle of an access, when it is done, and after a halt."""
    with Guest("kvm") as guest:
        ours = guest.vcpu._registers
        asked = Registers(guest.vcpu._handle, guest.vcpu._page)
        told = []

        def look() -> None:
            ours.load()
            asked.load()
            assert (ours.general, ours.special) == (asked.general, asked.special)
            told.append((ours.in_page, asked.in_page))

        guest.on_port[0x80] = lambda _: look()
        # mov al, 7; out 80h, al; mov ebx, 1234h; in al, 90h; out 80h, al; hlt
        guest.flat(b"\xb0\x07\xe6\x80\xbb\x34\x12\0\0\xe4\x90\xe6\x80\xf4")
        assert guest.run().reason is ExitReason.HALTED
        look()
        assert guest.vcpu.read_register(Register.EBX) == 0x1234
        assert set(told) == {(bool(guest.accelerator._vm.features.caps[abi.Cap.SYNC_REGS]), False)}
        assert len(told) == 3


def test_a_bell_rings_without_an_exit():
    with Guest("kvm") as guest:
        bell = EventNotifier()
        port = next(iter(guest.io.view)).region
        guest.system.ioeventfds.add(port, 0x90, 1, 7, bell)
        guest.real(b"\xb0\x07\xe6\x90\xb0\x08\xe6\x90\xf4")  # out 90h of 7, then of 8
        assert guest.run().reason is ExitReason.HALTED
        assert bell.test_and_clear()
        assert guest.value(0x90) == [8]
        assert guest.accelerator.statistics().port_writes == 1
        bell.close()


def test_writes_that_are_held_back_all_come_in_their_order(kernel):
    """However many the kernel's ring takes: that differs."""
    with Guest("kvm") as guest:
        guest.system.coalesced.add(guest.device, 0, 0x100)
        # xor ecx, ecx; again: mov [DEVICE+80h], ecx; inc ecx; cmp ecx, 1000; jne again
        # mov eax, [DEVICE+200h]; hlt
        program = (
            b"\x31\xc9\x89\x0d\x80\x00\x00\xe0\x41\x81\xf9\xe8\x03\x00\x00\x75\xf1"
            b"\xa1\x00\x02\x00\xe0\xf4"
        )
        guest.flat(program)
        kernel.entries = 0
        assert guest.run().reason is ExitReason.HALTED
        assert guest.device_log[:-1] == [("w", 0x80, 4, n) for n in range(1000)]
        assert guest.device_log[-1] == ("r", 0x200, 4, 0)
        assert kernel.entries < 40
        guest.system.coalesced.clear(guest.device)
        guest.flat(program)
        assert guest.run().reason is ExitReason.HALTED
        assert kernel.entries > 1000


@pytest.mark.seabios
@pytest.mark.parametrize(("first", "then"), [("kvm", "unicorn"), ("unicorn", "kvm")])
def test_firmware_that_one_began_comes_to_its_end_on_the_other(tmp_path, first, then):
    file = tmp_path / "machine"
    with VirtualMachine(MachineConfig(debugcon=True), engine=first) as machine:
        machine.run(until=Phase.SETUP)
        saved.save(machine, file)
    with saved.restore(file, engine=then) as machine:
        machine.run(until=Phase.HALT)
        assert machine.log[-1].text == "No bootable device."


def test_what_is_in_vain_says_where_the_cpu_reads_and_where_it_goes_on():
    write = b"\xc7\x05" + (ROM_BASE + 8).to_bytes(4, "little") + b"\x78\x56\0\0"
    read = b"\xa1" + 0x40000000.to_bytes(4, "little")
    with Guest("kvm") as guest:
        guest.flat(b"\x90" + write + read + b"\xf4")
        guest.run()
        first, second = guest.accelerator.in_vain.entries
    assert (first.why, first.first.value, first.size) == (Why.ROM, 0x5678, 4)
    assert (first.cs, first.ip, first.exact) == (FLAT_CODE.selector, CODE + 1 + len(write), False)
    assert (second.why, second.is_write, second.low) == (Why.NOBODY, False, 0x40000000)
    assert (second.ip, second.exact) == (CODE + 1 + len(write), True)
