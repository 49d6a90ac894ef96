"""Our machine on the host's KVM, beside what the kernel itself takes, and beside QEMU on it.

Only where the host's KVM executes guests, or where GUESTMAP_KVM asks for it: one that emulates them
says little of ours. All is processor time.
"""

from __future__ import annotations

import gc
import os
import resource
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from rich.console import Console

from benchmarks import bar_move, older, post
from benchmarks.pci import MEMORY, Layout, Machine
from benchmarks.qemu import PROGRAM
from benchmarks.table import Row, show
from guestmap.accel import Register, Segment, SegmentRegister
from guestmap.accel.kvm.abi import RUN
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.kvm.bells import Bells
from guestmap.accel.kvm.caps import DEVICE, open_device
from guestmap.accel.kvm.kernel import HostKernel
from guestmap.accel.kvm.vm import Vm
from guestmap.accel.vcpu import NoInterrupts
from guestmap.base import MIB, GuestmapError
from guestmap.machine import MachineConfig, Phase, VirtualMachine
from guestmap.memory import MemoryRegionOps, MemorySystem

if TYPE_CHECKING:
    from collections.abc import Callable

_PAGE = 0x1000
_COUNTS = (8, 4_000, 30_000)
_DEVICES, _FILES_EACH = 1000, 16
_LOOP = b"\xe6\x80\xeb\xfc"  # again: out 80h, al; jmp again
_EXITS = 2_000
_ROUNDS = 101
_POSTS = 3
_OLDER_POST = """
import time
from guestmap.machine import MachineConfig, Phase, VirtualMachine
with VirtualMachine(MachineConfig(ram_size=128 << 20, debugcon=True)) as vm:
    start = time.process_time()
    vm.run(until=Phase.BOOT)
    print(time.process_time() - start)
"""


class _Change(NamedTuple):
    """Processor time of a commit, of its update of the slots, and the kernel's share of that."""

    commit_s: float
    update_s: float
    kernel_s: float


class _Post(NamedTuple):
    whole_s: float
    kernel_s: float
    exits: int


class Timed(HostKernel):
    """The host's kernel, and the processor time that it takes, of the calling thread."""

    def __init__(self) -> None:
        self.spent_s = 0.0
        self.exits = 0

    def ioctl(self, fd: int, code: int, argument: int | bytearray) -> int:
        """Make a request."""
        self.exits += code == RUN.code
        start = time.thread_time()
        try:
            return super().ioctl(fd, code, argument)
        finally:
            self.spent_s += time.thread_time() - start


def refusal() -> str:
    """Say why nothing can be measured here; "" where it can."""
    try:
        if os.environ.get("GUESTMAP_KVM"):
            open_device(HostKernel(), DEVICE).close()
        else:
            KvmAccelerator.check_worth()
    except GuestmapError as error:
        return str(error)
    return ""


class _Crowd:
    """A VM of so many slots, each a page, of which one goes and comes."""

    def __init__(self, count: int) -> None:
        self.kernel = Timed()
        self._system = system = MemorySystem()
        ram = system.ram("ram", count * _PAGE)
        root = system.container("root", 1 << 64)
        space = system.address_space("memory", root)
        with system.transaction():
            for number in range(count):  # backwards, so that no two are one slot
                part = system.alias("part", ram, (count - 1 - number) * _PAGE, _PAGE)
                root.add_subregion(2 * number * _PAGE, part)
        self._vm = Vm(self.kernel)
        space.register_listener(self._vm.slots)
        self._spent_s = 0.0
        for name in ("check", "region_add", "region_del", "commit"):
            setattr(self._vm.slots, name, partial(self._timed, getattr(self._vm.slots, name)))
        self._part = root.subregions[count // 2]

    def _timed(self, method: Callable[..., None], *args: Any) -> None:
        start = time.thread_time()
        method(*args)
        self._spent_s += time.thread_time() - start

    def change(self) -> _Change:
        """Take the slot away, and have it come again."""
        self.kernel.spent_s, self._spent_s, start = 0.0, 0.0, time.thread_time()
        self._part.set_enabled(False)
        self._part.set_enabled(True)
        times = time.thread_time() - start, self._spent_s, self.kernel.spent_s
        return _Change(*(each / 2 for each in times))

    def close(self) -> None:
        """Give everything back."""
        self._vm.close()
        self._system.close()


def slot_rows() -> list[Row]:
    """Return how long a slot takes to go and to come again, as there are more of them."""
    crowds = [_Crowd(count) for count in _COUNTS]
    gc.collect()
    rounds = [[each.change() for each in crowds] for _ in range(_ROUNDS)]
    for crowd in crowds:
        crowd.close()
    each = [_Change(*map(median, zip(*times, strict=True))) for times in zip(*rounds, strict=True)]
    few, *many = (f"{count:,} slots" for count in _COUNTS)
    return [
        *(Row(f"a commit, of {what} (beside {few})", x.commit_s, each[0].commit_s)
          for what, x in zip(many, each[1:], strict=True)),
        *(Row(f"an update, of {what} (beside {few})", x.update_s, each[0].update_s)
          for what, x in zip(many, each[1:], strict=True)),
        *(Row(f"Python's part of it, of {what} (beside the kernel's)", x.update_s - x.kernel_s,
              x.kernel_s)
          for what, x in zip((few, *many), each, strict=True)),
    ]  # fmt: skip


def exit_rows() -> list[Row]:
    """Return the time of an exit that is a device's register, beside that of KVM_RUN alone."""
    with MemorySystem() as system:
        root = system.container("root", 1 << 64)
        root.add_subregion(0, system.ram("ram", 0x10000))
        memory = system.address_space("memory", root)
        left = [0]

        def write(_offset: int, _value: int, _size: int) -> None:
            left[0] -= 1
            if not left[0]:
                vcpu.kick()

        ops = MemoryRegionOps(read=lambda _offset, _size: 0, write=write)
        io = system.address_space("I/O", system.io("io", 0x10000, ops))
        memory.write(0, _LOOP)
        with KvmAccelerator(memory, io, [NoInterrupts()]) as accelerator:
            vcpu = accelerator.vcpu()
            vcpu.write_segment(SegmentRegister.CS, Segment(0, 0, 0xFFFF, 0x9B00))
            vcpu.write_register(Register.EIP, 0)
            kernel, fd = vcpu._vm.kernel, vcpu._handle.fd
            ours, bare = [], []
            for _ in range(9):
                left[0], start = _EXITS, time.thread_time()
                vcpu.prepare()
                vcpu.run()
                ours.append((time.thread_time() - start) / _EXITS)
                start = time.thread_time()
                for _ in range(_EXITS):
                    kernel.ioctl(fd, RUN.code, 0)
                bare.append((time.thread_time() - start) / _EXITS)
    return [Row("an exit (beside KVM_RUN in a loop)", median(ours), median(bare))]


def post_rows() -> list[Row]:
    """Return what SeaBIOS takes from the first instruction to INT 19h, and what of it is ours."""
    with ThreadPoolExecutor(1) as one:  # not in the main thread, or the CPU had one of its own
        runs = [one.submit(_post).result() for _ in range(_POSTS)]
    outside = min(each.whole_s - each.kernel_s for each in runs)
    theirs = None
    if PROGRAM:
        theirs = min(post.qemu(accel="kvm")[2] for _ in range(_POSTS))
    with older.sources() as sources:
        before = None if sources is None else older.seconds(_OLDER_POST, sources)
    return [
        Row("POST (beside QEMU on KVM)", min(each.whole_s for each in runs), theirs),
        Row("POST outside KVM_RUN (beside the older commit's, whole, on Unicorn)", outside, before),
        Row("the same, an exit (beside 15 us)", outside / runs[0].exits, 15e-6),
    ]


def _post() -> _Post:
    kernel = Timed()
    with VirtualMachine(MachineConfig(ram_size=128 * MIB, debugcon=True), engine="kvm") as vm:
        assert isinstance(vm.accelerator, KvmAccelerator)
        vm.accelerator._vm.kernel = kernel  # of KVM_RUN alone: slots have their handle's
        start = time.thread_time()
        vm.run(until=Phase.BOOT)
        return _Post(time.thread_time() - start, kernel.spent_s, kernel.exits)


def bar_rows() -> list[Row]:
    """Return how long a BAR takes to move among many devices, beside QEMU on the same KVM."""
    layout = Layout(_DEVICES)
    machine = Machine(layout)
    vm = Vm()
    try:
        machine.space.register_listener(vm.slots)
        for space, ports in ((machine.space, False), (machine.io, True)):
            space.register_listener(Bells(vm.handle, vm.features, ports=ports))
        with machine.memory.transaction():
            machine.write(layout.set_up(MEMORY))
        ours = bar_move.seconds(machine, layout)
    finally:
        vm.close()
    _allow_files(_DEVICES * _FILES_EACH)
    theirs = bar_move.qemu_seconds(layout, MEMORY, accel="kvm") if PROGRAM else None
    return [Row(f"BAR move, {_DEVICES} devices (beside QEMU on KVM)", ours, theirs)]


def _allow_files(count: int) -> None:
    """Let what is started open so many files, where this user may: on KVM QEMU ends without."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY not in {soft, hard} and soft < count:
        with suppress(ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))


def show_all(console: Console) -> None:
    """Print all, each as soon as it is there: nested, one may take minutes."""
    for rows in (slot_rows, exit_rows, post_rows, bar_rows):
        show("KVM", "beside", rows(), console)


if __name__ == "__main__":
    show_all(Console(width=120, color_system=None))
