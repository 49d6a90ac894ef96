"""What the guest wrote, by dirty rings: each page once, whoever's slot it is, and however many."""

from __future__ import annotations

import errno
from struct import pack_into, unpack_from

import pytest

from guestmap.accel import ExitReason
from guestmap.accel.kvm import abi, accelerator
from guestmap.accel.kvm.abi import Cap, ExitCode
from guestmap.accel.kvm.accelerator import KvmAccelerator
from guestmap.accel.kvm.ring_check import check_rings
from guestmap.base import ConfigError, HostError, UnsupportedError
from guestmap.memory import MemorySystem
from guestmap.memory.ram.dirty import DirtyClient
from tests.accel.kvm.fake_kernel import PAGE, VCPU
from tests.accel.kvm.fake_vcpu import CpuKernel, Other
from tests.accel.kvm.test_vcpu import Line, Rig

ENTRIES = 1024
HLT = Other(ExitCode.HLT)


class RingKernel(CpuKernel):
    """One vCPU with a ring: a page is told once, until the ring has been reset."""

    def __init__(self) -> None:
        super().__init__(DIRTY_LOG_RING=16 * 4096)
        self.ring = bytearray()
        self.last = self.reset_at = self.resets = 0
        self.told: set[tuple[int, int]] = set()

    def map(self, fd: int, size: int, offset: int = 0) -> bytearray:
        if not offset:
            return super().map(fd, size)
        assert (fd, offset) == (VCPU, abi.DIRTY_RING_PAGE * PAGE)
        assert size == 16 * ENTRIES
        self.ring = bytearray(size)
        return self.ring

    def _enable(self, request: bytearray) -> int:
        cap, _, value = unpack_from("<IIQ", request)
        if cap != Cap.DIRTY_LOG_RING:
            return super()._enable(request)
        assert VCPU not in self.open_fds
        assert value == 16 * ENTRIES
        return 0

    def _requests(self):
        return super()._requests() | {abi.RESET_DIRTY_RINGS.code: self._reset_rings}

    def _get_dirty(self, request: bytearray) -> int:
        raise OSError(errno.ENXIO, "there are rings")

    def write(self, address: int) -> None:
        for number, region in self.slots.items():
            if region.start <= address < region.start + region.size and region.flags & 1:
                page = (address - region.start) // PAGE
                if (number, page) not in self.told:
                    self.told.add((number, page))
                    at = self.last % ENTRIES * 16
                    assert not self.ring[at], "the ring is full"
                    pack_into("<IIQ", self.ring, at, 1, number, page)
                    self.last += 1

    def _reset_rings(self, _argument: int) -> int:
        while self.ring[at := self.reset_at % ENTRIES * 16] == 2:
            self.told.discard(unpack_from("<IQ", self.ring, at + 4))
            self.ring[at] = 0
            self.reset_at += 1
        self.resets += 1
        return 0


class Full(Other):
    """The ring is as full as it may be: with these pages."""

    def __init__(self, kernel: RingKernel, pages: range) -> None:
        super().__init__(ExitCode.DIRTY_RING_FULL)
        self.kernel, self.pages = kernel, pages

    def show(self, page: bytearray) -> None:
        for each in self.pages:
            self.kernel.write(each * PAGE)
        super().show(page)


class RingRig(Rig):
    def __init__(self) -> None:
        super().__init__()
        self.accelerator.close()
        self.kernel = RingKernel()
        self.accelerator = self.opened(self.kernel, ENTRIES)
        self.vcpu = self.accelerator.vcpu()
        self.ram = self.system.ram("ram", 0x1000 * PAGE)
        self.root.add_subregion(0, self.ram)

    def opened(self, kernel: RingKernel, entries: int) -> KvmAccelerator:
        return KvmAccelerator(self.memory, self.io, [self.line], kernel=kernel, dirty_ring=entries)

    def pages(self) -> list[int]:
        look = self.system.dirty_logging.snapshot_and_clear
        return [
            at // PAGE for at in look(self.ram, 0, self.ram.size, DirtyClient.MIGRATION).pages()
        ]


@pytest.fixture
def rig():
    made = RingRig()
    made.system.dirty_logging.start_global()
    made.pages()
    yield made
    made.accelerator.close()
    assert not made.kernel.open_fds


def write(rig: RingRig, *pages: int) -> None:
    for page in pages:
        rig.kernel.write(page * PAGE)


def test_each_page_is_told_again_after_a_look(rig):
    write(rig, 3, 700, 3)
    assert rig.pages() == [3, 700]
    assert rig.pages() == []
    write(rig, 3)
    assert rig.pages() == [3]


def test_a_look_at_nothing_asks_the_kernel_for_nothing(rig):
    before = rig.kernel.resets
    assert rig.pages() == []
    assert rig.kernel.resets == before


def test_a_ring_that_is_full_is_emptied_and_the_guest_goes_on(rig):
    pages = range(ENTRIES - 64)
    full = Full(rig.kernel, pages)
    assert rig.run(full, full, full, HLT).reason is ExitReason.HALTED
    assert rig.pages() == list(pages)
    assert rig.kernel.last == 3 * len(pages)


def test_nothing_is_lost_where_a_slot_goes(rig):
    write(rig, 9)
    rig.root.del_subregion(rig.ram)
    rig.root.add_subregion(0x4000 * PAGE, rig.ram)
    rig.kernel.write((0x4000 + 10) * PAGE)
    assert rig.pages() == [9, 10]


@pytest.mark.parametrize("entries", [512, 1000, 8192])
def test_a_ring_of_another_size_is_refused(rig, entries):
    with pytest.raises(ConfigError, match=f"dirty-ring-size {entries}: .* from 1024 to 4096"):
        rig.opened(RingKernel(), entries)


def test_a_kernel_without_rings(rig):
    kernel = RingKernel()
    kernel.caps[Cap.DIRTY_LOG_RING] = 0
    with pytest.raises(UnsupportedError, match="no dirty rings"):
        rig.opened(kernel, ENTRIES)
    assert not kernel.open_fds


@pytest.mark.parametrize("told", [2048, 2047])
def test_a_kernel_that_loses_pages_in_its_rings_is_found_out(told):
    kernel = RingKernel()
    kernel.script = [
        *(Full(kernel, range(at, min(at + 900, told + 1))) for at in range(1, told + 1, 900)), HLT,
    ]  # fmt: skip
    if told == 2048:
        check_rings(kernel)
    else:
        with pytest.raises(UnsupportedError, match=r"loses pages in dirty rings .2047 of 2048"):
            check_rings(kernel)
    assert not kernel.open_fds


@pytest.mark.parametrize(
    ("entries", "kernel", "tries"),
    [(1024, None, True), (0, None, False), (1024, CpuKernel(), False)],
)
def test_rings_of_the_hosts_kernel_are_tried_out_first(
    monkeypatch: pytest.MonkeyPatch, entries: int, kernel: CpuKernel | None, tries: bool
) -> None:
    done: list[str] = []

    def vm(*_arguments: object, **_options: object) -> None:
        done.append("made")
        raise HostError("no VM here")

    monkeypatch.setattr(accelerator, "check_rings", lambda: done.append("tried"))
    monkeypatch.setattr(accelerator, "Vm", vm)
    system = MemorySystem()
    space = system.address_space("memory", system.container("root", 1 << 64))
    with pytest.raises(HostError, match="no VM here"):
        KvmAccelerator(space, space, [Line()], kernel=kernel, dirty_ring=entries)
    assert done == (["tried", "made"] if tries else ["made"])
