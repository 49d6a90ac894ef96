"""A real /dev/kvm: firmware to its end, the slots it needs, and a kernel that refuses some."""

from __future__ import annotations

import errno
from struct import unpack_from

import pytest
from tests.accel.guest import CODE, RAM_SIZE, Guest
from tests.accel.kvm.test_machine_slots import POST, wanted

from guestmap.accel import ExitReason, Register
from guestmap.accel.kvm import abi
from guestmap.accel.kvm.kernel import HostKernel
from guestmap.base import HostError
from guestmap.machine import MachineConfig, Phase, VirtualMachine, saved
from guestmap.memory.hear import EventNotifier
from guestmap.memory.ram.dirty import DirtyClient

pytestmark = pytest.mark.kvm


class Recording(HostKernel):
    """The host's kernel, whose slot requests are noted; one of them is refused."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.refuse_at = 0

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
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


def test_a_copy_by_the_log_alone_is_the_original():
    """As a migration copies: again and again while the guest writes all over, then at rest."""
    with Guest("kvm") as guest:
        logging = guest.system.dirty_logging
        logging.start_global()
        copy = bytearray(RAM_SIZE)

        def fetch() -> None:
            log = logging.snapshot_and_clear(guest.ram, 0, RAM_SIZE, DirtyClient.MIGRATION)
            for page in log.pages():
                copy[page : page + 0x1000] = guest.ram.buffer[page : page + 0x1000]

        # mov edi, 10000h; again: lea eax, [eax*4+eax+1]; mov [edi], eax; add edi, 1004h;
        # and edi, FFFFCh; or edi, 100000h; inc [9000h]; jmp again
        program = (
            b"\xbf\x00\x00\x01\x00\x8d\x44\x80\x01\x89\x07\x81\xc7\x04\x10\x00\x00"
            b"\x81\xe7\xfc\xff\x0f\x00\x81\xcf\x00\x00\x10\x00\xff\x05\x00\x90\x00\x00\xeb\xe0"
        )
        guest.flat(program)
        for _ in range(5):
            timer = guest.clock.timer(guest.loop.stop)
            timer.arm(guest.clock.now_ns() + 5_000_000)
            assert guest.run().reason is ExitReason.STOPPED
            fetch()
            guest.memory.write(0x1F0000, bytes(copy[0x9000:0x9004]))  # our own, among the guest's
        fetch()
        assert copy == guest.ram.buffer
        assert any(copy[0x100000:0x1F0000])


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
