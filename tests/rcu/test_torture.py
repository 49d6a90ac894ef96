"""Torture: readers that never see what has been reclaimed.

The first test follows QEMU's tests/unit/rcutorture.c. Ten elements are published in turn. Each
update publishes the next, makes all others one generation older and waits for a grace period. A
reader that loads the published element may see it grow one generation old under its hands, when
one update happens during its section; two would need a grace period that ended inside the section.

The others follow tests/unit/test-rcu-list.c: elements are removed and reclaimed, readers never
find a reclaimed one inside a section, and as many are reclaimed as were removed.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass

import pytest

from guestmap.rcu import Rcu, RcuArray, RcuCell, RcuList, RefCounted
from guestmap.rcu.readers import Readers

ELEMENTS = 10
SOAK_S = float(os.environ.get("GUESTMAP_SOAK_S", "3600"))


@dataclass(slots=True)
class Element:
    age: int = 0
    complete: bool = False
    reclaimed: bool = False


class Torture:
    """Readers in threads, an updater in the caller's, and what they saw."""

    def __init__(self, spawn, readers):
        self.spawn = spawn
        self.readers = readers
        self.stop = threading.Event()
        self.seen = [Counter() for _ in range(readers)]

    def run(self, read, update, rounds, enough=20):
        """Update for a number of rounds, and on until each reader has read enough."""
        futures = [self.spawn(self._read, read, seen) for seen in self.seen]
        try:
            while rounds > 0 or any(seen.total() < enough for seen in self.seen):
                assert not any(future.done() for future in futures), "a reader has failed"
                update()
                rounds -= 1
        finally:
            self.stop.set()
        for future in futures:
            future.result()
        return sum(self.seen, Counter())

    def _read(self, read, seen):
        while not self.stop.is_set():
            seen[read()] += 1


def generations(rcu, spawn, *, readers, nested, rounds):
    """Run QEMU's torture and return how often readers saw an element of each age."""
    array = [Element() for _ in range(ELEMENTS)]
    current = RcuCell(array[0])
    array[0].complete = True
    index = 0

    def read():
        with rcu.read_section():
            element = current.read()
            assert element.complete
            if nested:
                with rcu.read_section():
                    time.sleep(0)
            rcu.read_lock()
            time.sleep(0)  # let the updater in
            rcu.read_unlock()
            return element.age

    def update():
        nonlocal index
        index = (index + 1) % ELEMENTS
        element = array[index]
        element.complete = False
        element.age = 0
        element.complete = True
        current.set(element)
        for other in array:
            if other is not element:
                other.age += 1
        rcu.synchronize()

    return Torture(spawn, readers).run(read, update, rounds)


SIZES = pytest.mark.parametrize(
    ("readers", "rounds"),
    [
        pytest.param(1, 1_000, id="1-reader"),
        pytest.param(10, 200, id="10-readers"),
        pytest.param(1, 20_000, id="1-reader-long", marks=pytest.mark.long),
        pytest.param(10, 3_000, id="10-readers-long", marks=pytest.mark.long),
    ],
)


@pytest.mark.usefixtures("fast_switching")
@SIZES
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_no_reader_sees_an_element_two_generations_old(rcu, spawn, readers, rounds, nested):
    ages = generations(rcu, spawn, readers=readers, nested=nested, rounds=rounds)
    assert ages.total() >= 20 * readers
    assert set(ages) <= {0, 1}
    assert rcu.statistics().grace_periods >= rounds


@pytest.mark.soak
@pytest.mark.timeout(SOAK_S + 300)
def test_eight_readers_for_an_hour_see_no_element_two_generations_old(rcu, spawn):
    """Without a global lock the readers run at once: ``make test-free-threaded`` has no other."""
    end = time.monotonic() + SOAK_S
    while time.monotonic() < end:
        ages = generations(rcu, spawn, readers=8, nested=True, rounds=1_000)
        assert set(ages) <= {0, 1}


@pytest.mark.usefixtures("fast_switching")
def test_the_torture_notices_grace_periods_that_do_not_wait(spawn, monkeypatch):
    monkeypatch.setattr(Readers, "wait", lambda self: time.sleep(0))
    rcu = Rcu("broken")
    deadline = time.monotonic() + 30
    oldest = 0
    while oldest < 2 and time.monotonic() < deadline:
        oldest = max(generations(rcu, spawn, readers=2, nested=False, rounds=50))
    assert oldest >= 2


@pytest.mark.usefixtures("fast_switching")
@SIZES
def test_a_list_reclaims_what_was_removed_and_nothing_that_is_read(rcu, spawn, readers, rounds):
    removed, reclaimed = [], []
    choose = random.Random(readers)

    def reclaim(element):
        element.reclaimed = True
        reclaimed.append(element)

    elements = RcuList(rcu, (Element() for _ in range(20)), reclaim=reclaim)

    def read():
        with rcu.read_section():
            for element in elements:
                time.sleep(0)
                assert not element.reclaimed
        return "walk"

    def update():
        nodes = list(elements.nodes())
        victim = choose.choice(nodes)
        removed.append(victim.value)
        elements.remove(victim)
        neighbour = choose.choice([node for node in nodes if node is not victim])
        insert = choose.choice([elements.insert_before, elements.insert_after])
        insert(neighbour, Element())

    Torture(spawn, readers).run(read, update, rounds, enough=3)
    rcu.drain()
    assert len(removed) >= rounds
    assert [id(element) for element in reclaimed] == [id(element) for element in removed]
    assert len(elements) == 20
    assert not any(element.reclaimed for element in elements)


@pytest.mark.usefixtures("fast_switching")
@SIZES
def test_a_counted_object_lives_until_its_last_user_is_done(rcu, spawn, readers, rounds):
    class Counted:
        def __init__(self):
            self.alive = True
            self.users = RefCounted(rcu, self.destroy)

        def destroy(self):
            assert self.users.count == 0
            self.alive = False
            destroyed.append(self)

    destroyed = []
    current = RcuCell(Counted())

    def read():
        with rcu.read_section():
            found = current.read()
            time.sleep(0)
            taken = found.users.try_get()
            assert found.alive
        if not taken:
            return "too late"
        time.sleep(0)  # outside the section: the count alone protects
        assert found.alive
        found.users.put()
        return "used"

    def update():
        current.replace(Counted()).users.put()
        time.sleep(0)

    ends = Torture(spawn, readers).run(read, update, rounds)
    current.read().users.put()
    rcu.drain()
    assert ends["used"] > 0
    assert len(destroyed) == rcu.statistics().queued > rounds
    assert rcu.statistics().failed == 0


@pytest.mark.usefixtures("fast_switching")
@SIZES
def test_an_array_is_read_while_it_grows_and_shrinks(rcu, spawn, readers, rounds):
    def reclaim(storage):
        for index in range(len(storage)):
            storage[index] = -1

    array = RcuArray(rcu, capacity=1, reclaim=reclaim)

    def read():
        with rcu.read_section():
            for index, value in enumerate(array):
                assert value == index
                time.sleep(0)
        return "walk"

    def update():
        if len(array) == 20:
            array.truncate(3)
        array.append(len(array))

    Torture(spawn, readers).run(read, update, rounds, enough=3)
    rcu.drain()
    assert rcu.statistics().ran == rcu.statistics().queued > 0
