"""Whatever the guest does, a run ends in an :class:`Exit`."""

from __future__ import annotations

import random
import threading

import pytest

from guestmap.accel import ExitReason, Register, SegmentRegister
from guestmap.memory import MemoryRegionOps
from tests.accel.guest import DEVICE, RAM_SIZE, ROM_SIZE, Guest, later
from tests.support.interrupts import INTERRUPTS


def test_the_reset_vector_is_at_the_top_of_4_gib(guest):
    if not guest.accelerator.capabilities.reset_vector:
        pytest.skip("the engine starts below 1 MiB")
    guest.rom.buffer[ROM_SIZE - 16 : ROM_SIZE - 10] = b"\x2e\xa1\x20\x00\xfa\xf4"  # mov ax, cs:[32]
    guest.rom.buffer[0x20:0x22] = b"\x34\x12"
    guest.loop.reset()
    cs = guest.vcpu.read_segment(SegmentRegister.CS)
    assert (cs.selector, cs.base, guest.register("eip")) == (0xF000, 0xFFFF0000, 0xFFF0)
    assert guest.run().reason is ExitReason.HALTED
    assert guest.register("eax") & 0xFFFF == 0x1234


def test_a_far_jump_leaves_the_top_of_4_gib(guest):
    guest.rom.buffer[ROM_SIZE - 16 : ROM_SIZE - 11] = b"\xea\x00\x10\x00\x00"  # jmp 0000:1000
    guest.memory.write(0x1000, b"\xe6\x80\xfa\xf4")
    guest.loop.reset()
    assert guest.run().reason is ExitReason.HALTED
    assert len(guest.value()) == 1


def test_the_registers_after_a_reset(guest):
    guest.real(b"\xf4", eax=5, edi=6)
    guest.run()
    guest.loop.reset()
    read = guest.vcpu.read_register
    assert [read(r) for r in (Register.EAX, Register.EDI, Register.ESP)] == [0, 0, 0]
    assert (read(Register.CR0), read(Register.EFLAGS)) == (0x60000010, 2)
    assert read(Register.EDX) >> 8 & 0xF  # the processor's family
    assert guest.vcpu.read_segment(SegmentRegister.IDTR)[1:3] == (0, 0xFFFF)


@pytest.mark.parametrize("is_open", [False, True])
def test_the_a20_gate_from_outside_waits_until_the_cpu_leaves(guest, is_open):
    if not guest.accelerator.capabilities.a20:
        pytest.skip("the engine has no A20 gate")
    guest.memory.write(0x10, b"\x11")
    guest.memory.write(0x100010, b"\x22")
    guest.real(b"\x26\xa0\x20\x00\xe6\x80\xf4")  # mov al, es:[0x20] (FFFF:0020); out 80h; hlt
    data = guest.vcpu.read_segment(SegmentRegister.ES)
    guest.vcpu.write_segment(SegmentRegister.ES, data._replace(selector=0xFFFF, base=0xFFFF0))
    guest.vcpu.set_a20(not is_open)
    guest.vcpu.prepare()
    told = []
    guest.vcpu.notify = lambda: told.append(guest.vcpu.cpu.state.a20_mask)
    before = guest.vcpu.cpu.state.a20_mask
    guest.vcpu.set_a20(is_open)
    assert told == [before] == [guest.vcpu.cpu.state.a20_mask]
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x22 if is_open else 0x11]


def test_a_reset_from_a_port_write(guest):
    guest.on_port[0xCF9] = lambda value: guest.loop.request_reset()
    guest.real(b"\xba\xf9\x0c\xb0\x06\xee\xeb\xfe")  # mov dx, 0xcf9; mov al, 6; out dx, al; jmp $
    assert guest.run().reason is ExitReason.RESET


def test_the_a20_gate(guest):
    if not guest.accelerator.capabilities.a20:
        pytest.skip("the engine has no A20 gate")
    guest.memory.write(0x000000, b"\x11")
    guest.memory.write(0x100000, b"\x22")
    guest.on_port[0x92] = lambda value: guest.vcpu.set_a20(bool(value & 2))
    read = b"\x26\xa0\x10\x00\xe6\x80"  # mov al, es:[0x10] (FFFF:0010); out 0x80, al
    guest.real(
        b"\xb8\xff\xff\x8e\xc0" + read + b"\xb0\x00\xe6\x92" + read + b"\xb0\x02\xe6\x92" + read
        + b"\xfa\xf4"
    )  # fmt: skip
    guest.run()
    assert guest.value() == [0x22, 0x11, 0x22]


def test_the_a20_gate_is_moved_between_two_runs(guest):
    if not guest.accelerator.capabilities.a20:
        pytest.skip("the engine has no A20 gate")
    guest.memory.write(0x000000, b"\x11")
    guest.memory.write(0x100000, b"\x22")
    for is_open in (False, True, False):
        # mov ax, FFFFh; mov es, ax; mov al, es:[0x10]; out 0x80, al
        guest.real(b"\xb8\xff\xff\x8e\xc0\x26\xa0\x10\x00\xe6\x80\xfa\xf4")
        guest.vcpu.set_a20(is_open)
        guest.run()
    assert guest.value() == [0x11, 0x22, 0x11]


def test_memory_may_be_remapped_while_the_a20_gate_is_closed(guest):
    extra = guest.system.ram("over", 0x1000)
    guest.on_port[0x92] = lambda value: guest.vcpu.set_a20(bool(value & 2))
    guest.on_port[0x81] = lambda value: guest.root.add_subregion(0x9000, extra, 1)
    extra.buffer[0] = 0x77
    # out 0x92 of 0; out 0x81; jmp; mov al, [0x9000]; out 0x80
    guest.real(b"\xb0\x00\xe6\x92\xe6\x81\xeb\x00\xa0\x00\x90\xe6\x80\xfa\xf4")
    guest.run()
    assert guest.value() == [0x77]


@pytest.mark.not_on_kvm("the kernel emulates no code there")
def test_code_runs_off_the_end_of_memory(guest):
    guest.flat(b"\xb8\x00\x00\x20\x00\xff\xe0")  # mov eax, RAM_SIZE; jmp eax
    assert RAM_SIZE == 0x200000
    later(guest.loop.stop, 0.05)
    assert guest.run().reason in {ExitReason.STOPPED, ExitReason.SHUTDOWN}


@pytest.mark.not_on_kvm("the kernel emulates no code there")
def test_code_in_a_device(guest):
    """A processor fetches from wherever it is sent."""
    program = b"\xb0\x5a\xe6\x80\xfa\xf4".ljust(16, b"\x90")
    device = guest.system.io(
        "code",
        0x1000,
        MemoryRegionOps(
            read=lambda offset, size: int.from_bytes(program[offset : offset + size], "little"),
            write=lambda offset, value, size: None,
        ),
    )
    guest.root.add_subregion(0xD0000000, device)
    guest.flat(b"\xb8\x00\x00\x00\xd0\xff\xe0")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.value() == [0x5A]


@pytest.mark.not_on_kvm("it needs no windows")
def test_a_guest_that_touches_everything_keeps_the_map_small(guest):
    # mov esi, 0x10000000; again: mov al, [esi]; add esi, 0x100000; jnc again; cli; hlt
    guest.flat(b"\xbe\x00\x00\x00\x10\x8a\x06\x81\xc6\x00\x00\x10\x00\x73\xf6\xfa\xf4")
    assert guest.run().reason is ExitReason.HALTED
    assert guest.accelerator.statistics().open_windows > 3000


@pytest.mark.parametrize("fail", ["read", "write", "port_read", "port_write"])
def test_an_error_in_a_device_reaches_the_caller_of_run(guest, fail):
    def broken(*_: int) -> int:
        raise ZeroDivisionError(fail)

    device = guest.system.io("broken", 0x1000, MemoryRegionOps(read=broken, write=broken))
    guest.root.add_subregion(0xD0000000, device)
    guest.on_port[0x80] = guest.on_read[0x80] = broken
    program = {
        "read": b"\xa1\x00\x00\x00\xd0\xf4",
        "write": b"\xa3\x00\x00\x00\xd0\xf4",
        "port_read": b"\xe4\x80\xf4",
        "port_write": b"\xe6\x80\xf4",
    }[fail]
    guest.flat(program)
    with pytest.raises(ZeroDivisionError, match=fail):
        guest.run()


@pytest.mark.parametrize("interrupt", INTERRUPTS)
def test_ctrl_c_reaches_the_main_thread(guest, interrupt):
    guest.real(b"\xeb\xfe")
    assert threading.current_thread() is threading.main_thread()
    later(interrupt, 0.05)
    with pytest.raises(KeyboardInterrupt):
        guest.run()
    later(guest.loop.stop)
    assert guest.run().reason is ExitReason.STOPPED


def test_the_documented_interface_alone_runs_real_mode():
    """What remains where the layout of Unicorn's CPU structure cannot be told."""
    with Guest(hidden_state=False) as guest:
        assert guest.accelerator.capabilities.runs_code
        assert not guest.accelerator.capabilities.exceptions
        guest.vector(0x10, 0x2000)
        guest.memory.write(0x2000, b"\xb0\x77\xcf")
        guest.vector(0x20, 0x2100)
        guest.memory.write(0x2100, b"\xe6\x81\xcf")
        # The reset code at F000:FFF0, which is where that engine starts.
        bios = guest.system.alias("bios", guest.rom, 0, ROM_SIZE)
        guest.root.add_subregion(0xF0000, bios, 1)
        guest.rom.buffer[ROM_SIZE - 16 : ROM_SIZE - 11] = b"\xea\x00\x10\x00\x00"
        # int 10h; out 0x80, al; sti; hlt; out 0x82, al; cli; hlt
        guest.memory.write(0x1000, b"\xcd\x10\xe6\x80\xfb\xf4\xe6\x82\xfa\xf4")
        guest.clock.timer(
            lambda: (guest.line.vectors.append(0x20), guest.loop.interrupts_changed())
        ).arm(guest.clock.now_ns() + 5_000_000)  # fmt: skip
        guest.loop.reset()
        assert guest.run().reason is ExitReason.HALTED
        assert [port for port, _, _ in guest.ports] == [0x80, 0x81, 0x82]
        assert guest.value() == [0x77]


def test_the_documented_interface_alone_resets():
    with Guest(hidden_state=False) as guest:
        for name in ("eax", "esi", "esp"):
            guest.vcpu.write_register(Register(name), 0x1234)
        guest.vcpu.write_register(Register.EIP, 0x5678)
        guest.loop.reset()
        assert [guest.register(name) for name in ("eax", "esi", "esp")] == [0, 0, 0]
        assert guest.register("eip") == 0xFFF0


@pytest.mark.not_on_kvm("slots may change at any moment")
def test_the_map_may_be_touched_in_a_port_write_and_in_no_other_moment(guest):
    """Not by a timer, between two entries, nor from outside: then it is for the run loop."""
    asked = {}
    guest.on_port[0x81] = lambda value: asked.update(port=guest.vcpu.may_settle())

    def due():
        asked.update(timer=guest.vcpu.may_settle())
        guest.loop.stop()

    timer = guest.clock.timer(due)

    def device():
        asked.update(device=guest.vcpu.may_settle())
        timer.arm(guest.clock.now_ns())

    guest.on_device = device
    guest.flat(b"\xe6\x81\xa1" + DEVICE.to_bytes(4, "little") + b"\xeb\xfe")
    assert guest.run().reason is ExitReason.STOPPED
    asked.update(outside=guest.vcpu.may_settle())
    assert asked == {"port": True, "device": False, "timer": False, "outside": False}


def test_the_documented_interface_alone_finds_a_moment_to_interrupt_a_loop():
    with Guest(hidden_state=False) as guest:
        guest.vector(0x20, 0x2000)
        guest.memory.write(0x2000, b"\xfa\xf4")
        guest.root.add_subregion(0xF0000, guest.system.alias("bios", guest.rom, 0, ROM_SIZE), 1)
        guest.rom.buffer[ROM_SIZE - 16 : ROM_SIZE - 11] = b"\xea\x00\x10\x00\x00"
        # A line that is up before interrupts are on: cli; mov cx, 0; again: loop again; sti; jmp $
        guest.memory.write(0x1000, b"\xfa\x31\xc9\xe2\xfe\xe2\xfe\xfb\xeb\xfe")
        guest.line.vectors.append(0x20)
        guest.loop.reset()
        assert guest.run().reason is ExitReason.HALTED


def random_program(seed: int) -> bytes:
    """Random bytes, now and then something that goes far: a jump, a port, a mode switch."""
    source = random.Random(seed)
    spice = (
        b"\xe9", b"\xea", b"\xcd", b"\xcf", b"\x0f\x22\xc0", b"\x0f\x01\xd0", b"\x8e\xd8",
        b"\x8e\xd0", b"\xf4", b"\xfb", b"\x0f\x01\x18", b"\x66\xff\xe0", b"\x0f\x00\xd8",
        b"\x0f\x30", b"\x0f\x0b", b"\xf0", b"\x9d", b"\x0f\x01\xd8",
    )  # fmt: skip
    return b"".join(
        source.choice(spice) if source.random() < 0.1 else source.randbytes(1) for _ in range(400)
    )


@pytest.mark.parametrize("batch", range(10))
def test_random_programs_end(guest, batch):
    for seed in range(batch * 30, batch * 30 + 30):
        source = random.Random(~seed)
        guest.memory.set(0, 0, 0x10000)
        guest.memory.write(0, source.randbytes(0x400))
        registers = {name: source.getrandbits(32) for name in ("eax", "ebx", "ecx", "edi")}
        start = guest.real if seed % 3 else guest.flat
        start(random_program(seed), **registers)
        alarm = guest.clock.timer(guest.loop.stop)
        alarm.arm(guest.clock.now_ns() + 5_000_000)
        assert isinstance(guest.run().reason, ExitReason)
        alarm.cancel()
        guest.loop.reset()


def test_the_device_is_where_the_tests_think(guest):
    assert guest.memory.load(DEVICE, 4) == 0x44332211
