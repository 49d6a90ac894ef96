"""The cell, the reference count, the list and the resizable array, one thread at a time."""

from __future__ import annotations

import threading

import pytest

from guestmap.base import ConfigError, StateError
from guestmap.rcu import RcuArray, RcuCell, RcuList, RefCounted

# The cell.


def test_a_cell_publishes_what_is_set():
    old, new = object(), object()
    cell = RcuCell(old)
    assert cell.read() is cell.value is old
    cell.set(new)
    assert cell.read() is cell.value is new
    assert repr(RcuCell(3)) == "RcuCell(3)"


def test_a_cell_hands_back_what_it_replaced():
    cell = RcuCell("old")
    assert cell.replace("new") == "old"
    assert cell.read() == "new"


# The reference count.


def test_the_last_put_destroys_and_only_the_last(rcu):
    destroyed = []
    users = RefCounted(rcu, lambda: destroyed.append(True))
    assert users.try_get()
    users.get()
    assert users.count == 3
    users.put()
    users.put()
    rcu.drain()
    assert not destroyed
    users.put()
    rcu.drain()
    assert destroyed == [True]


def test_nothing_revives_a_count_of_zero(rcu):
    users = RefCounted(rcu, lambda: None)
    users.put()
    assert users.count == 0
    assert not users.try_get()
    assert users.count == 0
    with pytest.raises(StateError, match="after the last was put"):
        users.get()
    with pytest.raises(StateError, match="nobody holds"):
        users.put()
    assert users.count == 0
    rcu.drain()
    assert rcu.statistics().ran == 1


def test_destruction_waits_for_readers_that_may_have_found_the_object(rcu):
    destroyed = threading.Event()
    users = RefCounted(rcu, destroyed.set)
    with rcu.read_section():
        users.put()  # in the same thread even: the destruction is elsewhere
        assert not users.try_get()
        assert not destroyed.is_set()
    rcu.drain()
    assert destroyed.is_set()


def test_counts_from_many_threads_add_up(rcu, spawn, fast_switching):
    destroyed = []
    users = RefCounted(rcu, lambda: destroyed.append(users.count))

    def use():
        for _ in range(500):
            assert users.try_get()
            users.put()

    for future in [spawn(use) for _ in range(4)]:
        future.result()
    assert users.count == 1
    users.put()
    rcu.drain()
    assert destroyed == [0]


# The list.


def backwards(elements):
    """The values by way of the links that only updaters use."""
    values, node = [], elements._last
    while node is not None:
        values.append(node.value)
        node = node.previous
    return values


def check(elements, *expected):
    assert list(elements) == list(expected)
    assert backwards(elements) == list(expected)[::-1]
    assert len(elements) == len(expected)


def test_a_list_inserts_at_both_ends_and_beside_a_node(rcu):
    elements = RcuList(rcu)
    check(elements)
    middle = elements.append("m")
    last = elements.append("z")
    first = elements.prepend("a")
    check(elements, "a", "m", "z")
    elements.insert_before(middle, "l")
    elements.insert_after(middle, "n")
    elements.insert_before(first, "0")
    elements.insert_after(last, "zz")
    check(elements, "0", "a", "l", "m", "n", "z", "zz")
    assert RcuList(rcu).prepend("only").value == "only"


def test_a_list_removes_first_middle_last_and_only(rcu):
    elements = RcuList(rcu, "abcd")
    a, b, c, d = elements.nodes()
    elements.remove(b)
    check(elements, "a", "c", "d")
    elements.remove(a)
    check(elements, "c", "d")
    elements.remove(d)
    check(elements, "c")
    elements.remove(c)
    check(elements)
    elements.append("e")
    check(elements, "e")


def test_a_node_is_removed_once_and_from_its_own_list(rcu):
    elements, other = RcuList(rcu, "ab"), RcuList(rcu, "ab")
    node = next(elements.nodes())
    with pytest.raises(StateError, match="'a' is not, or no longer, in this list"):
        other.remove(node)
    elements.remove(node)
    for refused in (
        lambda: elements.remove(node),
        lambda: elements.insert_before(node, "x"),
        lambda: elements.insert_after(node, "x"),
    ):
        with pytest.raises(StateError):
            refused()
    check(elements, "b")
    check(other, "a", "b")


def test_a_reader_on_a_removed_node_finds_its_way_back(rcu):
    elements = RcuList(rcu, "abcde")
    walk = elements.nodes()
    next(walk)
    node = next(walk)
    seen = [node.value]
    elements.remove(node)
    elements.remove(node.next)  # its neighbour, after it: seen, as it was there at the start
    seen += [later.value for later in walk]
    assert seen == ["b", "c", "d", "e"]
    check(elements, "a", "d", "e")


def test_a_new_node_is_complete_before_it_is_found(rcu):
    """A reader that arrives in the middle of an insertion sees the old list or the new."""
    seen = []

    class Watched(RcuList):
        def _publish(self, previous, node):
            seen.append(list(self))
            super()._publish(previous, node)
            seen.append(list(self))

    elements = Watched(rcu)
    elements.append("a")
    last = elements.append("c")
    elements.insert_before(last, "b")
    elements.remove(last)
    assert ["".join(values) for values in seen] == ["", "a", "a", "ac", "ac", "abc", "abc", "ab"]


def test_a_removed_value_is_reclaimed_after_its_readers(rcu, eventually):
    reclaimed = []
    elements = RcuList(rcu, "ab", reclaim=reclaimed.append)
    with rcu.read_section():
        elements.remove(next(elements.nodes()))
        eventually(lambda: rcu.statistics().blocked_by == 1)
        assert not reclaimed
    rcu.drain()
    assert reclaimed == ["a"]


def test_a_list_without_reclaim_defers_nothing(rcu):
    elements = RcuList(rcu, "a")
    elements.remove(next(elements.nodes()))
    assert rcu.statistics().queued == 0


# The resizable array.


def test_an_array_grows_by_doubling_and_keeps_its_elements(rcu):
    array = RcuArray(rcu, capacity=2)
    capacities = []
    for number in range(9):
        array.append(number * number)
        capacities.append(array.capacity)
    assert capacities == [2, 2, 4, 4, 8, 8, 8, 8, 16]
    assert list(array) == [number * number for number in range(9)]
    assert len(array) == 9
    assert array[8] == 64


@pytest.mark.parametrize("index", [-1, 2, 7])
def test_an_index_outside_the_array_is_refused_even_inside_the_storage(rcu, index):
    array = RcuArray(rcu, capacity=8)
    array.append(1)
    array.append(2)
    assert array.get(index, 99) == 99
    assert array.get(1, 99) == 2
    with pytest.raises(IndexError, match=f"index {index} of an RcuArray of 2"):
        array[index]
    with pytest.raises(IndexError, match=f"index {index} of an RcuArray of 2"):
        array[index] = 3
    array[1] = 4
    assert list(array) == [1, 4]


def test_a_reader_keeps_the_size_and_the_storage_that_it_found(rcu):
    array = RcuArray(rcu, capacity=2)
    for number in range(2):
        array.append(number)
    walk = iter(array)
    assert next(walk) == 0
    array.append(2)
    array.truncate(0)
    array.append(8)
    array.append(9)
    assert list(walk) == [1]
    assert list(array) == [8, 9]


def test_an_append_after_truncating_writes_where_no_reader_looks(rcu):
    array = RcuArray(rcu, capacity=4)
    for number in range(3):
        array.append(number)
    walk = iter(array)
    assert next(walk) == 0
    array.truncate(1)
    array.append(9)
    assert list(walk) == [1, 2]
    assert list(array) == [0, 9]


def test_truncating_copies_and_shortens(rcu):
    array = RcuArray(rcu, capacity=4)
    for number in range(4):
        array.append(number)
    array.truncate(9)
    array.truncate(4)
    assert list(array) == [0, 1, 2, 3]
    array.truncate(1)
    assert list(array) == [0]
    assert array.capacity == 4
    with pytest.raises(ConfigError, match="-1"):
        array.truncate(-1)


def test_replaced_storage_is_reclaimed_after_its_readers_and_only_when_resized(rcu, eventually):
    made, reclaimed = [], []

    def allocate(size):
        made.append(bytearray(size))
        return memoryview(made[-1])

    array = RcuArray(rcu, capacity=2, allocate=allocate, reclaim=reclaimed.append)
    array.append(1)
    array.append(2)
    assert rcu.statistics().queued == 0
    with rcu.read_section():
        array.append(3)
        eventually(lambda: rcu.statistics().blocked_by == 1)
        assert not reclaimed
    rcu.drain()
    assert [view.obj for view in reclaimed] == [made[0]]
    assert made == [bytearray([1, 2]), bytearray([1, 2, 3, 0])]


def test_an_array_without_room_is_refused(rcu):
    with pytest.raises(ConfigError, match="capacity 0"):
        RcuArray(rcu, capacity=0)
