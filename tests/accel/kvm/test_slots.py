"""A VM's memory slots are what the view shows, at the least cost, and whole or not at all."""

from __future__ import annotations

import random

import pytest

from guestmap.accel.kvm.slot_table import SlotNumbers
from guestmap.base import HostError
from guestmap.memory import MemoryRegionOps
from tests.accel.kvm.bench import Bench
from tests.accel.kvm.fake_kernel import PAGE

OPS = MemoryRegionOps(read=lambda *_: 0, write=lambda *_: None)


# -- what is a slot --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "slots"),
    [
        (lambda b: b.ram("ram", 2 * PAGE), ["0,0,4000,2000"]),
        (lambda b: b.ram("rom", PAGE, readonly=True), ["0,2,4000,1000"]),
        (lambda b: b.system.rom_device("flash", PAGE, OPS), ["0,2,4000,1000"]),
        (lambda b: b.system.io("device", PAGE, OPS), []),
        (lambda b: b.ram("small", PAGE // 2), []),
        (lambda b: b.system.alias("late", b.ram("r", 4 * PAGE), 0x800, 2 * PAGE), []),
        (lambda b: b.system.alias("part", b.ram("r", 4 * PAGE), PAGE, 0x1800), ["0,0,4000,1000"]),
    ],
    ids=["RAM", "ROM", "ROM device", "device", "half a page", "not of whole pages", "cut off"],
)
def test_what_of_a_region_is_a_slot(bench, make, slots):
    bench.root.add_subregion(4 * PAGE, make(bench))
    assert bench.kernel.log == slots
    bench.check()


def test_memory_that_begins_within_a_page_is_a_slot_from_the_next_on(bench):
    part = bench.system.alias("part", bench.ram("r", 4 * PAGE), 0x800, 3 * PAGE)
    bench.root.add_subregion(0x4800, part)
    assert bench.kernel.log == ["0,0,5000,2000"]
    bench.check()


def test_a_read_only_alias_makes_a_read_only_slot(bench):
    alias = bench.system.alias("shadow", bench.ram("ram", PAGE), 0, PAGE)
    bench.root.add_subregion(0, alias)
    bench.root.add_subregion(PAGE, bench.system.io("device", PAGE, OPS))
    assert bench.requests(lambda: alias.set_readonly(True)) == ["del 0", "0,2,0,1000"]


def test_a_rom_device_is_a_slot_only_while_it_reads_as_memory(bench):
    flash = bench.system.rom_device("flash", PAGE, OPS)
    bench.root.add_subregion(0, flash)
    assert bench.requests(lambda: flash.set_romd_mode(False)) == ["del 0"]
    assert bench.requests(lambda: flash.set_romd_mode(True)) == ["0,2,0,1000"]


def test_memory_above_what_a_slot_holds_is_several(bench, monkeypatch):
    monkeypatch.setattr("guestmap.accel.kvm.slots.MAX_SLOT_SIZE", 4 * PAGE)
    ram = bench.ram("ram", 10 * PAGE)
    bench.root.add_subregion(0, ram)
    assert bench.kernel.log == ["0,0,0,4000", "1,0,4000,4000", "2,0,8000,2000"]
    bench.root.del_subregion(ram)
    assert not bench.kernel.slots


# -- the net effect --------------------------------------------------------------------------------


def test_what_comes_back_as_it_was_costs_nothing(bench):
    ram = bench.ram("ram", PAGE)
    bench.root.add_subregion(0, ram)

    def there_and_back():
        with bench.system.transaction():
            bench.root.del_subregion(ram)
            bench.root.add_subregion(0, ram)

    assert bench.requests(there_and_back) == []
    cover = bench.system.io("cover", PAGE, OPS)
    assert bench.requests(lambda: bench.root.add_subregion(PAGE, cover)) == []


def test_a_move_is_one_request(bench):
    ram = bench.ram("ram", 4 * PAGE)
    bench.root.add_subregion(0, ram)
    assert bench.requests(lambda: ram.set_address(8 * PAGE)) == ["0,0,8000,4000"]
    assert bench.requests(lambda: ram.set_address(9 * PAGE)) == ["0,0,9000,4000"]
    bench.check()


def test_moves_wait_until_their_place_is_free(bench):
    regions = [bench.ram(f"r{n}", PAGE) for n in range(3)]
    for n, each in enumerate(regions):
        bench.root.add_subregion(n * PAGE, each)

    def up():
        with bench.system.transaction():
            for n, each in enumerate(regions):
                each.set_address((n + 1) * PAGE)

    assert bench.requests(up) == ["2,0,3000,1000", "1,0,2000,1000", "0,0,1000,1000"]
    bench.check()


def test_two_that_change_places(bench):
    one, other = bench.ram("one", PAGE), bench.ram("other", PAGE)
    bench.root.add_subregion(0, one)
    bench.root.add_subregion(PAGE, other)

    def change():
        with bench.system.transaction():
            one.set_address(PAGE)
            other.set_address(0)

    assert len(bench.requests(change)) == 3
    bench.check()


def test_numbers_are_the_lowest_that_are_free():
    numbers = SlotNumbers()
    assert [numbers.take() for _ in range(4)] == [0, 1, 2, 3]
    for each in (2, 0, 1):
        numbers.give_back(each)
    numbers.claim(1)
    assert [numbers.take() for _ in range(3)] == [0, 2, 4]
    numbers.give_back(1)
    assert numbers.take() == 1


# -- what cannot be --------------------------------------------------------------------------------


def test_too_many_slots_are_refused_before_the_first_request():
    with Bench(slots=3) as bench:
        for n in range(3):
            bench.root.add_subregion(2 * n * PAGE, bench.ram(f"r{n}", PAGE))

        def two_for_one():
            with bench.system.transaction():
                bench.root.del_subregion(bench.root.subregions[0])
                for n in (7, 9):
                    bench.root.add_subregion(n * PAGE, bench.ram(f"new{n}", PAGE))

        before, asked = bench.space.view, bench.vm.table.requests
        with pytest.raises(HostError, match=r"3 memory slots .* would need 4: no room for 0x"):
            two_for_one()
        assert bench.space.view is before
        assert bench.vm.table.requests == asked
        bench.check()


def test_memory_that_is_more_slots_than_there_are_is_refused_before_the_first(monkeypatch):
    monkeypatch.setattr("guestmap.accel.kvm.slots.MAX_SLOT_SIZE", 4 * PAGE)
    with Bench(slots=2) as bench:
        ram = bench.ram("ram", 10 * PAGE)
        with pytest.raises(HostError, match=r"2 memory slots .* would need 3"):
            bench.root.add_subregion(0, ram)
        assert not bench.kernel.log


def test_addresses_that_are_too_high_are_refused_before_the_first_request():
    with Bench(address_bits=36) as bench:
        asked = bench.vm.table.requests
        bench.root.add_subregion((1 << 36) - PAGE, bench.ram("last", PAGE))
        with pytest.raises(HostError, match=r"0x1000000000-0x1000000fff of high: .* 36 bits"):
            bench.root.add_subregion(1 << 36, bench.ram("high", PAGE))
        assert bench.vm.table.requests == asked + 1


# -- the whole or nothing --------------------------------------------------------------------------


def test_each_request_of_a_change_refused(bench):
    one, other = bench.ram("one", 4 * PAGE), bench.ram("other", 4 * PAGE)
    third = bench.ram("third", 2 * PAGE)
    bench.root.add_subregion(0, one)
    bench.root.add_subregion(8 * PAGE, other)
    cover = bench.system.io("cover", PAGE, OPS)

    def all_at_once():
        with bench.system.transaction():
            one.set_address(8 * PAGE)
            other.set_address(0)
            bench.root.add_subregion(32 * PAGE, third)
            bench.root.add_subregion(2 * PAGE, cover, 1)

    # other is cut in two by the device: it goes, one moves, and three slots come.
    assert bench.refuse_each(all_at_once) == 5


def test_the_kernel_refuses_to_change_back_too(bench):
    """Then the next commit brings the slots to where they shall be."""
    one, other = bench.ram("one", PAGE), bench.ram("other", PAGE)
    bench.root.add_subregion(0, one)
    bench.kernel.refuse(2, 3)  # the add, the change back, and once more

    def exchange():
        with bench.system.transaction():
            bench.root.del_subregion(one)
            bench.root.add_subregion(0, other)

    with pytest.raises(HostError, match="KVM_SET_USER_MEMORY_REGION") as caught:
        exchange()
    assert any("changing the memory slots back" in note for note in caught.value.__notes__)
    assert not bench.kernel.slots
    assert bench.vm.slots.unsettled
    bench.vm.slots.commit()
    bench.check()
    assert not bench.vm.slots.unsettled


def test_random_changes_are_followed(bench):
    chance = random.Random(5)
    regions = [bench.ram(f"r{i}", 0x4000, readonly=i == 3) for i in range(5)]
    regions += [bench.system.io(f"d{i}", 0x800 << i, OPS) for i in range(3)]
    regions += [bench.system.alias(f"a{i}", regions[0], 0x1000 * i, 0x1000) for i in range(4)]
    for step in range(300):
        bench.kernel.refuse(chance.choice((0, 0, 1, 2, 3, 5)))
        slots = dict(bench.kernel.slots)
        try:
            with bench.system.transaction():
                for region in chance.sample(regions, chance.randrange(1, 4)):
                    at = chance.randrange(64) * 0x800
                    if region.container is None:
                        bench.root.add_subregion(at, region, chance.randrange(3))
                    elif chance.random() < 0.4:
                        bench.root.del_subregion(region)
                    else:
                        region.set_address(at)
        except HostError:
            assert bench.kernel.slots == slots, step
        bench.check()


# -- who holds the memory --------------------------------------------------------------------------


def test_a_slot_pins_its_memory(bench):
    ram = bench.ram("ram", PAGE)
    block = ram.ram_block
    bench.root.add_subregion(0, ram)
    assert block.pins == 1
    bench.root.del_subregion(ram)
    assert block.pins == 0


def test_a_vm_that_is_closed_lets_go_of_everything():
    with Bench() as bench:
        ram = bench.ram("ram", PAGE)
        bench.root.add_subregion(0, ram)
        bench.vm.close()
        assert ram.ram_block.pins == 0
        assert not bench.kernel.open_fds
