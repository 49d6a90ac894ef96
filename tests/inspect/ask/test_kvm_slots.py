"""The slots of a map are those that a QEMU on KVM has, by its own trace."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guestmap.base import ConfigError, PeerError
from guestmap.inspect import Snapshot
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.kvm_slots import KvmSlot, kvm_slots, traced_slots
from guestmap.inspect.ask.mappings import ProcessMapping, read_mappings
from guestmap.inspect.ask.sentences import explain_sentences
from guestmap.inspect.map.snapshot import SlotInfo
from guestmap.inspect.text.from_text import snapshot_of_pasted
from guestmap.memory import MemorySystem
from tests.inspect.snapshots import Builder

# QEMU 7.2 -accel kvm -M pc,smm=off -m 128M,slots=2,maxmem=1G -nodefaults -vga none -S, with a DIMM
# of 128 MiB: 'info mtree -f' of "memory", and the trace up to there.
VIEW = """FlatView #0
 AS "memory", root: system
 AS "cpu-memory-0", root: system
 Root memory region: system
  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM
  00000000000c0000-00000000000dffff (prio 1, rom): pc.rom KVM
  00000000000e0000-00000000000fffff (prio 0, rom): pc.bios @0000000000020000 KVM
  0000000000100000-0000000007ffffff (prio 0, ram): pc.ram @0000000000100000 KVM
  00000000fec00000-00000000fec00fff (prio 0, i/o): kvm-ioapic
  00000000fed00000-00000000fed003ff (prio 0, i/o): hpet
  00000000fee00000-00000000feefffff (prio 4096, i/o): kvm-apic-msi
  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios KVM
  0000000100000000-0000000107ffffff (prio 0, ram): m KVM

"""
TRACE = """\
kvm_set_user_memory Slot#0 flags=0x0 gpa=0x0 size=0x8000000 ua=0x7f5aafe00000 ret=0
kvm_set_user_memory Slot#1 flags=0x2 gpa=0xfffc0000 size=0x40000 ua=0x7f5ac3000000 ret=0
kvm_set_user_memory Slot#0 flags=0x0 gpa=0x0 size=0x0 ua=0x7f5aafe00000 ret=0
kvm_set_user_memory Slot#0 flags=0x0 gpa=0x0 size=0xc0000 ua=0x7f5aafe00000 ret=0
kvm_set_user_memory Slot#2 flags=0x2 gpa=0xc0000 size=0x20000 ua=0x7f5ac2e00000 ret=0
kvm_set_user_memory Slot#3 flags=0x2 gpa=0xe0000 size=0x20000 ua=0x7f5ac3020000 ret=0
kvm_set_user_memory Slot#4 flags=0x0 gpa=0x100000 size=0x7f00000 ua=0x7f5aaff00000 ret=0
mhp_pc_dimm_assigned_slot 0
kvm_set_user_memory Slot#5 flags=0x0 gpa=0x100000000 size=0x8000000 ua=0x7f5a9fe00000 ret=0
""".splitlines()
NUMBERS = [0, 2, 3, 4, 1, 5]


@pytest.mark.parametrize("trace", [None, TRACE])
def test_whether_slots_were_compared_is_told(trace):
    told = kvm_slots(snapshot_of_pasted(VIEW, source="pasted"), trace)
    assert told.compared == (trace is not None)
    assert (told.missing, told.surplus, told.refused, told.unmapped) == ((), (), 0, ())


def test_qemus_trace_ends_with_the_slots_of_its_map():
    told = kvm_slots(snapshot_of_pasted(VIEW, source="test"), TRACE)
    assert (told.missing, told.surplus, told.refused) == ((), (), 0)
    assert [each.number for each in told.slots] == NUMBERS
    assert [each.readonly for each in told.slots] == [False, True, True, False, True, False]


def test_what_differs_is_told():
    snapshot = snapshot_of_pasted(VIEW, source="test")
    told = kvm_slots(snapshot, TRACE[:-1])
    assert told.missing == (KvmSlot(0x100000000, 0x108000000, False, "m"),)
    extra = "kvm_set_user_memory Slot#6 flags=0x0 gpa=0x200000000 size=0x1000 ua=0x1000 ret=0"
    assert kvm_slots(snapshot, [*TRACE, extra]).surplus[0].number == 6
    failed = extra.replace("ret=0", "ret=-22")
    told = kvm_slots(snapshot, [*TRACE, failed])
    assert (told.surplus, told.refused) == ((), 1)


def test_memory_that_an_alias_makes_read_only_is_a_writable_slot():
    """QEMU looks at the region, and that is RAM: a PAM segment of the firmware's copy."""
    view = VIEW.replace(
        "0-00000000000bffff (prio 0, ram): pc.ram", "0-00000000000bffff (prio 0, rom): pc.ram"
    )
    slot = kvm_slots(snapshot_of_pasted(view, source="test")).slots[0]
    assert not slot.readonly


def test_newer_traces_and_system_management_mode():
    """The form of QEMU 8.2 and on; address space 1 is what the CPU sees in SMM."""
    line = (
        "123@1.5:kvm_set_user_memory AddrSpace#%d Slot#0 flags=0x2 gpa=0x1000 size=0x1000"
        " ua=0x7f94d3e00000 guest_memfd=-1 guest_memfd_offset=0x0 ret=0"
    )
    slots, _ = traced_slots([line % 0, line.replace("Slot#0", "Slot#1") % 1])
    assert slots == [KvmSlot(0x1000, 0x2000, True, number=0, host=0x7F94D3E00000)]


def test_a_trace_of_something_else_is_refused():
    with pytest.raises(PeerError, match="-trace kvm_set_user_memory"):
        traced_slots(["nothing of that kind"])


# What /proc/PID/maps of that QEMU has of it: 128 MiB and 128 MiB of RAM, and the two ROMs. The
# latter are read-only slots; that of the RAM may be several mappings, one behind the other.
MAPS = """\
7f5a9fe00000-7f5aa7e00000 rw-p 00000000 00:00 0
7f5aafe00000-7f5ab0000000 rw-p 00000000 00:00 0
7f5ab0000000-7f5ab7e00000 rw-p 00000000 00:00 0                          [anon: ram]
7f5ac2e00000-7f5ac2e20000 r--p 00000000 00:00 0
7f5ac3000000-7f5ac3040000 rw-s 00000000 00:01 3095                       /memfd:bios (deleted)
"""


def unmapped(maps: str) -> list[int | None]:
    mappings = read_mappings(maps.splitlines(), source="maps")
    told = kvm_slots(snapshot_of_pasted(VIEW, source="test"), TRACE, mappings)
    assert told.compared
    return [each.number for each in told.unmapped]


def test_the_process_has_the_memory_of_its_slots():
    assert unmapped(MAPS) == []
    assert unmapped(
        MAPS.replace("7f5ab0000000-7f5ab7e00000 rw", "7f5ab0001000-7f5ab7e00000 rw")
    ) == [4]
    assert unmapped(MAPS.replace("7f5aa7e00000 rw", "7f5aa7e00000 r-")) == [5]
    assert unmapped(MAPS.replace("7f5ac2e20000 r-", "7f5ac2e20000 --")) == [2]
    assert unmapped("") == [0, 2, 3, 4, 1, 5]


def test_mappings_of_another_form_and_without_a_trace_are_refused():
    with pytest.raises(PeerError, match="maps, line 2 is not of the form"):
        read_mappings(["7f5a9fe00000-7f5aa7e00000 rw-p 00000000 00:00 0", "nothing"], source="maps")
    with pytest.raises(ConfigError, match="--trace"):
        kvm_slots(snapshot_of_pasted(VIEW, source="test"), None, [ProcessMapping(0, 1, True, True)])


def told_by_machine(*slots: SlotInfo) -> Snapshot:
    system = MemorySystem()
    root = system.container("system", 1 << 64)
    root.add_subregion(0, system.ram("ram", 0x4000))
    root.add_subregion(0x4000, system.rom("rom", 0x2000))
    system.address_space("memory", root)
    return replace(Snapshot.of(system), slots=slots)


RAM_SLOT = SlotInfo(3, 0, 0x4000, 0x7F0000000000, logged=True, dirty=2)
ROM_SLOT = SlotInfo(1, 0x4000, 0x2000, 0x7F0000010000, readonly=True)


def test_a_machine_that_tells_its_slots_is_compared_with_them():
    told = kvm_slots(told_by_machine(RAM_SLOT, ROM_SLOT))
    assert (told.compared, told.missing, told.surplus) == (True, (), ())
    assert [(each.number, each.region, each.dirty) for each in told.slots] == [
        (3, "ram", 2), (1, "rom", None),
    ]  # fmt: skip
    told = kvm_slots(told_by_machine(RAM_SLOT, replace(ROM_SLOT, readonly=False)))
    assert (
        [each.start for each in told.missing] == [each.start for each in told.surplus] == [0x4000]
    )


def test_explain_says_by_which_slot_memory_is_reached():
    snapshot = told_by_machine(RAM_SLOT, ROM_SLOT)
    assert explain(snapshot, 0x3FFF).slot is RAM_SLOT
    assert (
        "  by slot 3 of KVM, 0-3fff, writable, written pages are noted: 2 now"
    ) in explain_sentences(explain(snapshot, 0x3FFF))
    assert any(
        "slot 1 of KVM" in x and "read-only" in x
        for x in explain_sentences(explain(snapshot, 0x4000))
    )
    assert explain(snapshot, 0x6000).slot is None
    again = Snapshot.from_json(snapshot.to_json())
    assert again.slots == snapshot.slots


@pytest.mark.parametrize(
    ("space", "address", "number"),
    [
        ("memory", 0, 3),
        ("memory", 0xFFF, 3),
        ("memory", 0x1000, 4),
        ("cpu-memory-0", 0x1000, 4),
        ("memory", 0x1800, None),  # behind the slot's end
        ("memory", 0x8000, None),  # where nobody answers
        ("nic", 0x1000, None),  # what a device reaches goes through no slot
    ],
)
def test_the_slot_is_told_of_what_a_cpu_reaches(
    space: str, address: int, number: int | None
) -> None:
    tree = Builder()
    system = tree.container("system", 0, 0x1_0000)
    tree.region("ram", 0, 0x2000, into=system, type="ram")
    for name in ("memory", "cpu-memory-0", "nic"):
        tree.space(name, system)
    slots = (
        SlotInfo(3, 0, 0x1000, 0x7000_0000),
        SlotInfo(4, 0x1000, 0x800, 0x7000_1000),
        SlotInfo(5, 0x8000, 0x1000, 0x7000_8000),
    )
    told = explain(tree.snapshot(slots=slots), address, space)
    assert (told.slot and told.slot.number) == number
