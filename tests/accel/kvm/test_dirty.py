"""What a guest wrote, taken from the kernel's log into those of the RAM blocks."""

from __future__ import annotations

import pytest

from guestmap.memory.ram.dirty import DirtyClient
from tests.accel.kvm.bench import Bench
from tests.accel.kvm.fake_kernel import PAGE

MIGRATION = DirtyClient.MIGRATION


@pytest.fixture(params=[0, 1], ids=["a look clears", "cleared apart"])
def logged(request):
    """RAM of 200 pages that begins at page 70 of the guest's, all clean."""
    with Bench(MANUAL_DIRTY_LOG_PROTECT2=request.param) as bench:
        bench.region = bench.ram("ram", 200 * PAGE)
        bench.root.add_subregion(70 * PAGE, bench.region)
        bench.root.add_subregion(0, bench.ram("other", PAGE))
        bench.system.dirty_logging.start_global()
        pages(bench)
        yield bench


def pages(bench: Bench, offset: int = 0, length: int = 200 * PAGE) -> list[int]:
    snapshot = bench.system.dirty_logging.snapshot_and_clear(
        bench.region, offset, length, MIGRATION
    )
    return [at // PAGE for at in snapshot.pages()]


def write(bench: Bench, *numbers: int) -> None:
    for page in numbers:
        bench.kernel.write((70 + page) * PAGE)


def test_pages_are_seen_once(logged):
    write(logged, 0, 1, 63, 64, 130, 199)
    assert pages(logged) == [0, 1, 63, 64, 130, 199]
    assert pages(logged) == []
    write(logged, 64)
    assert pages(logged) == [64]


def test_a_look_at_a_part_leaves_the_rest(logged):
    write(logged, 3, 70, 199)
    assert pages(logged, 64 * PAGE, 64 * PAGE) == [70]
    write(logged, 70)
    assert pages(logged) == [3, 70, 199]


def test_what_is_written_between_look_and_clearing_is_seen_next(logged):
    """Page 5 was not in the look: to clear it, too, would be to lose it."""
    write(logged, 3)
    logged.kernel.after_look = lambda: write(logged, 5)
    assert pages(logged) == [3]
    assert pages(logged) == [5]


def test_what_was_seen_of_another_slot_is_not_taken(logged):
    """A slot's number is used again: what is written there was in no look yet."""
    slots = logged.vm.slots
    live = next(each for each in slots._table.live.values() if each.slot.size > PAGE)
    write(logged, 3)
    slots._dirty.fetch(live)
    write(logged, 3)
    left = set(logged.kernel.written[live.number])
    other = live._replace(slot=live.slot._replace(offset=PAGE))
    slots._dirty.clear(other, live.slot.start, live.slot.end)
    assert logged.kernel.written[live.number] == left == {3}


def test_our_own_writes_are_among_them(logged):
    write(logged, 5)
    logged.space.write(77 * PAGE, b"by a device")
    assert pages(logged) == [5, 7]


def test_nothing_is_lost_where_a_slot_goes_or_is_logged_no_more(logged):
    write(logged, 9)
    logged.region.set_address(1000 * PAGE)
    logged.kernel.write(1010 * PAGE)
    logged.root.del_subregion(logged.region)
    assert pages(logged) == [9, 10]


def test_to_look_at_the_slots_takes_nothing(logged):
    write(logged, 5, 6)
    other, shown = logged.vm.slots.shown()
    assert (other.start, other.dirty or 0) == (0, 0)
    assert (shown.start, shown.size, shown.number) == (70 * PAGE, 200 * PAGE, 0)
    assert shown.host == logged.region.ram_block.host_address
    assert (shown.logged, shown.readonly) == (True, False)
    assert shown.dirty == (2 if logged.kernel.manual else None)
    assert pages(logged) == [5, 6]


def test_switching_the_log_costs_one_request_a_slot(logged):
    stop = logged.system.dirty_logging.stop_global
    assert logged.requests(stop) == ["1,0,0,1000", "0,0,46000,c8000"]
    logged.check()


def test_switching_the_log_takes_no_room():
    with Bench(slots=2) as bench:
        bench.root.add_subregion(0, bench.ram("first", PAGE))
        for _ in range(3):
            bench.system.dirty_logging.start_global()
            bench.system.dirty_logging.stop_global()
        bench.root.add_subregion(PAGE, bench.ram("second", PAGE))
        bench.check()


def test_memory_that_comes_meanwhile_is_logged(logged):
    logged.root.add_subregion(1000 * PAGE, logged.ram("late", PAGE))
    assert logged.kernel.log[-1] == "2,1,3e8000,1000"
    logged.check()


def test_one_region_alone_is_logged():
    with Bench() as bench:
        bench.region = bench.ram("vram", 4 * PAGE)
        bench.root.add_subregion(0, bench.region)
        bench.root.add_subregion(4 * PAGE, bench.ram("other", PAGE))
        logging = bench.system.dirty_logging
        on = lambda: logging.set_region(bench.region, on=True)  # noqa: E731
        assert bench.refuse_each(on) == 1
        assert [bench.kernel.slots[n].flags for n in (0, 1)] == [1, 0]
