"""Several CPUs on a real KVM, each in a thread: one memory, a device for one at a time."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from guestmap.accel import ExitReason, Register, RunLoop, SegmentRegister, open_accelerator
from guestmap.accel.turn import SharedTurn
from guestmap.base import HostClock
from guestmap.memory import AccessSizes, MemoryRegionOps, MemorySystem
from tests.accel.guest import FLAT_CODE, FLAT_DATA, Line

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.kvm

CPUS = 4
RAM_SIZE, CODE, COUNT = 0x200000, 0x1000, 0x9000
WINDOW, WINDOW_SIZE = 0x800000, 0x1000
ROUNDS = 300
WAIT_S = 90
_ANY = AccessSizes(min=1, max=4, unaligned=True)
_DATA = ("DS", "ES", "SS", "FS", "GS")


class Several:
    """Some CPUs on one RAM, and a port; ``on_port`` is called with what is written."""

    def __init__(self) -> None:
        self.system = MemorySystem()
        self.root = self.system.container("root", 1 << 64)
        self.ram = self.system.ram("ram", RAM_SIZE)
        self.window = self.system.ram("window", WINDOW_SIZE)
        self.root.add_subregion(0, self.ram)
        self.memory = self.system.address_space("memory", self.root)
        ops = MemoryRegionOps(read=lambda _at, _size: 0, write=self._write, valid=_ANY, impl=_ANY)
        self.io = self.system.address_space("I/O", self.system.io("io", 0x10000, ops))
        self.lines = [Line() for _ in range(CPUS)]
        self.accelerator = open_accelerator("kvm", self.memory, self.io, self.lines)
        self.vcpus = [self.accelerator.vcpu(number) for number in range(CPUS)]
        self.loops = [RunLoop(each, HostClock()) for each in self.vcpus]
        turn = SharedTurn()
        for each in self.loops:
            each.turn = turn
        self.at_once = self.most_at_once = 0
        self.written: list[int] = []
        self.on_port = lambda value: None

    def _write(self, port: int, value: int, size: int) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.written.append(value)
        self.on_port(value)
        self.at_once -= 1

    def put(self, code: bytes) -> None:
        """Have each CPU begin at the code, flat, with its number in EBX, a stack of its own."""
        self.memory.write(CODE, code)
        for number, vcpu in enumerate(self.vcpus):
            vcpu.write_register(Register.CR0, 0x11)
            for name in _DATA:
                vcpu.write_segment(SegmentRegister[name], FLAT_DATA)
            vcpu.write_segment(SegmentRegister.CS, FLAT_CODE)
            for name, value in {"eip": CODE, "ebx": number, "esp": 0x8000 + 0x100 * number}.items():
                vcpu.write_register(Register(name), value)

    def run(self) -> list[ExitReason]:
        """Run all to their ends."""
        ends: list[ExitReason | None] = [None] * CPUS

        def run(number: int) -> None:
            ends[number] = self.loops[number].run().reason

        threads = [threading.Thread(target=run, args=(each,)) for each in range(CPUS)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(WAIT_S)
        assert not any(each.is_alive() for each in threads)
        return ends


@contextmanager
def several() -> Iterator[Several]:
    made = Several()
    try:
        yield made
    finally:
        made.accelerator.close()


COUNTER = (
    b"\xb9" + ROUNDS.to_bytes(4, "little") +  # mov ecx, ROUNDS
    b"\xf0\xff\x05\x00\x90\x00\x00"  # again: lock inc dword [9000h]
    b"\x88\xd8\xe6\x80"  # mov al, bl; out 80h, al
    b"\xe2\xf3\xf4"  # loop again; hlt
)  # fmt: skip


def test_all_count_and_a_device_is_called_by_one_at_a_time():
    with several() as machine:
        machine.put(COUNTER)
        assert machine.run() == [ExitReason.HALTED] * CPUS
        assert machine.memory.load(COUNT, 4) == CPUS * ROUNDS
        assert sorted(machine.written) == sorted([*range(CPUS)] * ROUNDS)
        assert machine.most_at_once == 1


def test_one_has_another_interrupted():
    """CPU 0 writes, the device raises CPU 1's line, which spins until its handler lets it go."""
    handler, table = 0x3000, 0x4000
    with several() as machine:
        gate = handler.to_bytes(2, "little") + b"\x08\0\0\x8e\0\0"
        machine.memory.write(table + 0x20 * 8, gate)
        gdt = bytes(8) + bytes.fromhex("ffff0000009bcf00") + bytes.fromhex("ffff00000093cf00")
        machine.memory.write(0x5000, gdt)
        machine.memory.write(0x6000, b"\xff\x07" + table.to_bytes(4, "little"))
        machine.memory.write(0x6010, b"\x17\x00" + (0x5000).to_bytes(4, "little"))
        machine.memory.write(handler, b"\xb0\x99\xe6\x81\xfa\xf4")  # mov al, 99h; out 81h, al; ...
        machine.put(
            b"\x0f\x01\x1d\x00\x60\x00\x00\x0f\x01\x15\x10\x60\x00\x00"  # lidt, lgdt
            b"\x83\xfb\x01\x74\x05"  # cmp ebx, 1; je spins
            b"\x88\xd8\xe6\x80\xf4"  # mov al, bl; out 80h, al; hlt
            b"\xfb\xeb\xfe"  # spins: sti; jmp $
        )

        def on_port(value: int) -> None:
            if value == 0:
                machine.lines[1].vectors.append(0x20)
                machine.loops[1].interrupts_changed()

        machine.on_port = on_port
        assert machine.run() == [ExitReason.HALTED] * CPUS
        assert sorted(machine.written) == [0, 2, 3, 0x99]
        assert machine.lines[1].vectors == []


MOVER = (
    b"\xb9" + (40).to_bytes(4, "little") +  # mov ecx, 40
    b"\x85\xdb\x75\x08"  # test ebx, ebx; jnz writes
    b"\x88\xc8\xe6\x80\xe2\xfa\xf4\x90"  # again: mov al, cl; out 80h, al; loop again; hlt; nop
    b"\xb9\x00\x10\x00\x00"  # writes: mov ecx, 1000h
    b"\x69\xfb\x00\x40\x00\x00"  # imul edi, ebx, 4000h
    b"\x81\xc7\x00\x00\x10\x00"  # add edi, 100000h
    b"\x89\xc8\xab\xe2\xfb\xf4"  # more: mov eax, ecx; stosd; loop more; hlt
)  # fmt: skip


def test_one_changes_the_map_while_the_others_write():
    """Each output of CPU 0 moves memory about; what the others write is all there."""
    with several() as machine:
        placed = []

        def on_port(value: int) -> None:
            if machine.window.container is not None:
                machine.root.del_subregion(machine.window)
            placed.append(WINDOW + value * WINDOW_SIZE)
            machine.root.add_subregion(placed[-1], machine.window)

        machine.on_port = on_port
        machine.put(MOVER)
        assert machine.run() == [ExitReason.HALTED] * CPUS
        assert placed == [WINDOW + value * WINDOW_SIZE for value in range(40, 0, -1)]
        shown = [(each.start, each.size) for each in machine.accelerator.memory_slots()]
        assert (placed[-1], WINDOW_SIZE) in shown
        words = b"".join(number.to_bytes(4, "little") for number in range(0x1000, 0, -1))
        for cpu in range(1, CPUS):
            at = 0x100000 + cpu * 0x4000
            assert bytes(machine.memory.read(at, len(words))) == words
