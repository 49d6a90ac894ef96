"""An address space, and a VM of a fake kernel that follows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from guestmap.accel.kvm.vm import Vm
from guestmap.base import HostError
from guestmap.memory import FlatRange, MemoryRegion, MemorySystem
from tests.accel.kvm.fake_kernel import PAGE, FakeKernel, Region

if TYPE_CHECKING:
    from collections.abc import Callable

    from guestmap.memory import AddressSpace


class Bench:
    """The two, or a kernel that follows a space of somebody else's."""

    def __init__(self, space: AddressSpace | None = None, **kernel: int) -> None:
        self.system = MemorySystem()
        self.root = self.system.container("root", 1 << 64)
        self.space = self.system.address_space("memory", self.root) if space is None else space
        self.kernel = FakeKernel(**kernel)
        self.vm = Vm(self.kernel)
        self.space.register_listener(self.vm.slots)

    def ram(self, name: str, size: int, *, readonly: bool = False) -> MemoryRegion:
        return self.system.ram(name, size, readonly=readonly)

    def requests(self, action: Callable[[], object]) -> list[str]:
        """Return what an action costs."""
        before = len(self.kernel.log)
        action()
        return self.kernel.log[before:]

    def check(self) -> None:
        """Hold each slot to the view: whole pages of what is memory, and nothing else."""
        expected = [x for each in self.space.view if (x := _expected(each)) is not None]
        assert sorted(self.kernel.slots.values(), key=lambda x: x.start) == expected

    def refuse_each(self, action: Callable[[], object]) -> int:
        """Do an action, with each request that it makes refused once; return how many those are.

        What was refused has changed nothing, neither slots nor the view.
        """
        number = 1
        while True:
            slots, view = dict(self.kernel.slots), self.space.view
            self.kernel.refuse(number)
            try:
                action()
            except HostError:
                assert self.kernel.slots == slots, f"request {number}"
                assert self.space.view is view
                self.check()
                number += 1
                continue
            self.kernel.refuse(0)
            self.check()
            return number - 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.vm.close()
        self.space.unregister_listener(self.vm.slots)


def _expected(each: FlatRange) -> Region | None:
    block = each.region.ram_block
    if block is None or not (each.reads_directly or each.region.ram_device):
        return None
    start, end = -(-each.start // PAGE) * PAGE, each.end // PAGE * PAGE
    shift = each.offset_in_region + start - each.start
    if start >= end or shift % PAGE:
        return None
    readonly = each.readonly or each.region.readonly or each.region.rom_device
    flags = (2 if readonly else 0) | (1 if each.dirty_log_mask else 0)
    return Region(flags, start, end - start, block.host_address + shift)
