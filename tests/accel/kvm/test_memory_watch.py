"""What of the guest's memory comes out while it is watched, and what the kernel is asked for."""

from __future__ import annotations

import pytest

from guestmap.accel import ExitReason
from guestmap.accel.debug import GuestAccess, WatchKind
from guestmap.accel.kvm.guards import Guards
from guestmap.base import HostError, UnsupportedError
from guestmap.memory.hear import EventNotifier
from tests.accel.heard import Heard
from tests.accel.kvm.fake_kernel import PAGE
from tests.accel.kvm.fake_vcpu import Mmio
from tests.accel.kvm.test_vcpu import HLT, Rig

READ, WRITE, EXECUTE = WatchKind
DEVICE = 0xE0000000


@pytest.fixture
def rig():
    """A machine with 8 pages of RAM, and a ROM behind them."""
    made = Rig()
    made.kernel.reads_within = True
    made.ram = made.system.ram("ram", 8 * PAGE)
    made.root.add_subregion(0, made.ram)
    made.root.add_subregion(8 * PAGE, made.system.rom("rom", PAGE))
    made.kernel._state["regs"][128:136] = (0x1234).to_bytes(8, "little")
    yield made
    made.accelerator.close()


def slots(rig) -> list[str]:
    return sorted(f"{s.start:x}+{s.size:x},{s.flags}" for s in rig.kernel.slots.values())


WHOLE = ["0+8000,0", "8000+1000,2"]


@pytest.mark.parametrize(
    ("points", "shown"),
    [
        ([(0x2345, 0x2345)], ["0+2000,0", "2000+1000,2", "3000+5000,0", "8000+1000,2"]),
        ([(0, 0xFFF)], ["0+1000,2", "1000+7000,0", "8000+1000,2"]),
        ([(0x1FFF, 0x2000), (0x3000, 0x3000), (0x6000, 0x20000)],
         ["0+1000,0", "1000+3000,2", "4000+2000,0", "6000+2000,2", "8000+1000,2"]),
        ([(0x8000, 0x8FFF), (0x100000, 0x100FFF)], WHOLE),
        ([(0, (1 << 64) - 1)], ["0+8000,2", "8000+1000,2"]),
    ],
)  # fmt: skip
def test_pages_whose_writes_are_watched_are_read_only(rig, points, shown):
    rig.vcpu.probe.watch([Heard().at(*each, WRITE) for each in points])
    assert slots(rig) == shown
    rig.vcpu.probe.watch([])
    assert slots(rig) == WHOLE


def test_a_write_is_told_and_done_and_is_none_to_rom(rig):
    heard = Heard()
    rig.vcpu.probe.watch([heard.at(0x2008, 0x200F, WRITE)])
    rig.run(
        Mmio(0x2006, 4, b"\1\2\3\4"), Mmio(0x2000, 4, b"\5\5\5\5"), Mmio(0x200C, 3, b"abc"), HLT
    )
    assert heard == [
        GuestAccess(WRITE, 0x2006, 4, 0x04030201, "ram", 0x2006, 0, 0x1234, False),
        GuestAccess(WRITE, 0x200C, 3, 0x636261, "ram", 0x200C, 0, 0x1234, False),
    ]
    assert rig.memory.read(0x2000, 16) == b"\5\5\5\5\0\0\1\2\3\4\0\0abc\0"
    counts = rig.accelerator.statistics()
    assert (counts.rom_writes, counts.mmio_writes) == (0, 3)


def test_reads_of_devices_and_of_nobody_are_told_with_what_they_get(rig):
    heard = Heard()
    rig.values = [0x11223344]
    rig.vcpu.probe.watch(
        [heard.at(DEVICE, DEVICE + 7, READ), heard.at(0x40000000, 0x40000000, READ)]
    )
    rig.run(Mmio(DEVICE + 4, 4), Mmio(0x40000000, 1), Mmio(DEVICE, 4, b"\1\0\0\0"), HLT)
    assert heard == [
        GuestAccess(READ, DEVICE + 4, 4, 0x11223344, "device", 4, 0, 0x1234, True),
        GuestAccess(READ, 0x40000000, 1, 0, "", 0, 0, 0x1234, True),
    ]


def test_a_run_stops_behind_the_instruction_and_goes_on(rig):
    """The other half of what the instruction does is done, too."""
    heard = Heard(stops=True)
    rig.vcpu.probe.watch([heard.at(0x1FFF, 0x2000, WRITE)])
    end = rig.run(Mmio(0x1FFE, 2, b"\1\2"), Mmio(0x2000, 2, b"\3\4"), HLT)
    assert (end.reason, end.message) == (ExitReason.DEBUG, "access to 0x2000")
    assert [each.address for each in heard] == [0x1FFE, 0x2000]
    assert rig.memory.read(0x1FFE, 4) == b"\1\2\3\4"
    assert rig.vcpu.run().reason is ExitReason.HALTED


def test_all_who_watch_hear_it(rig):
    one, other = Heard(stops=True), Heard()
    rig.vcpu.probe.watch([one.at(0x2000, 0x2FFF, WRITE), other.at(0x2000, 0x2003, WRITE)])
    rig.run(Mmio(0x2000, 4, b"\1\0\0\0"))
    assert (len(one), len(other)) == (1, 1)


@pytest.mark.parametrize("kinds", [(READ,), (READ, WRITE, EXECUTE)])
@pytest.mark.parametrize(("at", "what"), [(0x2345, "0x0-0x7fff of ram"), (0x8000, "of rom")])
def test_reads_of_memory_are_refused_in_a_line(rig, kinds, at, what):
    rig.vcpu.probe.watch([Heard().at(0x1000, 0x1000, WRITE)])
    before = slots(rig)
    with pytest.raises(UnsupportedError, match=f"not of memory, which .*{what} is") as told:
        rig.vcpu.probe.watch([Heard().at(at, at, *kinds)])
    assert "(RANGE,w), or take engine 'unicorn'" in str(told.value)
    assert slots(rig) == before, "what was watched is"


def test_memory_does_not_come_where_reads_are_watched(rig):
    """Its reads would be told no more, and nobody would know."""
    rig.vcpu.probe.watch([Heard().at(0x40000000, 0x40000FFF, READ)])
    dimm = rig.system.ram("dimm", PAGE)
    with pytest.raises(HostError, match="those of 0x40000000-0x40000fff of dimm are watched"):
        rig.root.add_subregion(0x40000000, dimm)
    rig.vcpu.probe.watch([])
    rig.root.add_subregion(0x40000000, dimm)
    assert "40000000+1000,0" in slots(rig)


def test_memory_that_comes_where_writes_are_watched_is_watched(rig):
    rig.vcpu.probe.watch([Heard().at(0x40001000, 0x40001000, WRITE)])
    rig.root.add_subregion(0x40000000, rig.system.ram("dimm", 2 * PAGE))
    assert slots(rig)[1:3] == ["40000000+1000,0", "40001000+1000,2"]


@pytest.mark.parametrize("request_number", [1, 2, 3, 4])
def test_a_kernel_that_refuses_leaves_all_as_it_was(rig, request_number):
    rig.kernel.refuse(request_number)
    with pytest.raises(HostError):
        rig.vcpu.probe.watch([Heard().at(0x2000, 0x2000, WRITE)])
    rig.kernel.refuse(0)
    assert slots(rig) == WHOLE
    rig.run(HLT)
    assert slots(rig) == WHOLE
    rig.vcpu.probe.watch([Heard().at(0x2000, 0x2000, WRITE)])
    assert "2000+1000,2" in slots(rig)


def test_what_the_kernel_would_keep_to_itself_comes_out(rig):
    """Bells and writes that are held back: none is there while writes are watched."""
    device = next(each.region for each in rig.memory.view if each.region.name == "device")
    notifier = EventNotifier()
    rig.system.ioeventfds.add(device, 0x10, 4, None, notifier)
    rig.system.coalesced.add(device, 0x20, 0x10)
    before = list(rig.kernel.bells), list(rig.kernel.zones)
    assert all(before)
    rig.vcpu.probe.watch([Heard().at(DEVICE, DEVICE, READ)])
    assert (rig.kernel.bells, rig.kernel.zones) == before, "they are writes"
    rig.vcpu.probe.watch([Heard().at(DEVICE, DEVICE, WRITE)])
    assert (rig.kernel.bells, rig.kernel.zones) == ([], [])
    rig.vcpu.probe.watch([])
    assert (rig.kernel.bells, rig.kernel.zones) == before
    notifier.close()


def test_spans_are_whole_pages_joined():
    points = [
        Heard().at(*each, WRITE) for each in ((0x5000, 0x5001), (0x1001, 0x2000), (0x3000, 0x3000))
    ]
    assert Guards(points).writes == ((0x1000, 0x4000), (0x5000, 0x6000))
    assert Guards(points).reads == ()
