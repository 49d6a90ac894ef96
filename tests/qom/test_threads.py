"""Many threads at one tree: nobody sees half a change."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from guestmap.base import ConfigError
from guestmap.qom import NotFoundError, Object, ObjectTree, ObjectType, Property, TypeTable, list_of
from guestmap.qom.number_types import UINT64
from tests.qom.samples import PcDimm, add_object, sample_tree

THREADS = 8
ROUNDS = 150


@pytest.fixture(autouse=True)
def eager_switches() -> Iterator[None]:
    """Let threads interrupt each other at nearly every step."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def run(*jobs: Callable[[], None]) -> None:
    """Run jobs at the same time; raise what any of them raised."""
    start = threading.Barrier(len(jobs))
    failures: list[BaseException] = []

    def one(job: Callable[[], None]) -> None:
        start.wait()
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - told to the test
            failures.append(error)

    threads = [threading.Thread(target=one, args=[job]) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def dawdle() -> None:
    """Give the other threads the time to come between."""
    for _ in range(50):
        pass


class Pairs(Object):
    """Two values that always change together."""

    low = 0
    high = 0

    def put(self, values: list[int]) -> None:
        self.low = values[0]
        dawdle()
        self.high = values[1]

    def pair(self) -> list[int]:
        low = self.low
        dawdle()
        return [low, self.high]


PAIR = Property("pair", list_of(UINT64), Pairs.pair, Pairs.put)


class Meeting(TypeTable):
    """Types whose objects take their time: two threads that may meet here do."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier = threading.Barrier(1)

    def new(self, name: str) -> Object:
        made = super().new(name)
        with contextlib.suppress(threading.BrokenBarrierError):
            self.barrier.wait(timeout=0.2)
        return made


@pytest.fixture
def tree() -> ObjectTree:
    return sample_tree(ObjectType("pairs", make=Pairs, properties=(PAIR,)))


def test_numbers_are_given_once(tree: ObjectTree) -> None:
    place = tree.container("/machine/unattached")

    def add() -> None:
        for _ in range(20):
            place.add_child("device[*]", tree.types.new("container"))

    run(*[add] * THREADS)
    assert set(place.children) == {f"device[{number}]" for number in range(20 * THREADS)}
    assert {child.name for child in place.children.values()} == set(place.children)


def test_containers_are_made_once() -> None:
    types = Meeting()
    tree = ObjectTree(types)
    types.barrier = threading.Barrier(2)
    found: list[Object] = []
    run(*[lambda: found.append(tree.container("/machine"))] * 2)
    assert found[0] is found[1]


def test_values_are_whole(tree: ObjectTree) -> None:
    pairs = tree.root.add_child("pairs", tree.types.new("pairs"))

    def write(base: int) -> Callable[[], None]:
        def job() -> None:
            for number in range(base, base + ROUNDS):
                pairs.set("pair", [number, number])

        return job

    def read() -> None:
        for _ in range(ROUNDS * 2):
            low, high = pairs.get("pair")  # type: ignore[misc]
            assert low == high

    run(write(0), write(100_000), read, read)


def test_a_device_is_seen_before_or_after_it_is_realized(tree: ObjectTree) -> None:
    inside, seen = threading.Event(), threading.Event()

    class Slow(PcDimm):
        def do_realize(self) -> None:
            self.slot = 1
            inside.set()
            seen.wait(timeout=0.2)  # nobody can look meanwhile
            self.slot = 2

    tree.types.add(ObjectType("slow", "pc-dimm", make=Slow))
    device = tree.types.new("slow")
    assert isinstance(device, Slow)
    tree.root.add_child("slow", device)

    def look() -> None:
        inside.wait()
        slot = tree.get("/slow", "slot")
        seen.set()
        assert (slot, device.realized) == (2, True)

    run(device.realize, look)


def test_objects_come_and_go_while_others_look(tree: ObjectTree) -> None:
    gone: list[str] = []
    lock = threading.Lock()

    class Backend(Object):
        def finalize(self) -> None:
            with lock:
                gone.append(self.type.name)

    tree.types.add(ObjectType("brief", "memory-backend", make=Backend))

    def churn(number: int) -> Callable[[], None]:
        def job() -> None:
            for _ in range(ROUNDS):
                add_object(tree, "brief", f"b{number}").unparent()

        return job

    def look() -> None:
        for _ in range(ROUNDS):
            for place in tree.root.walk():
                for prop in place.properties():
                    assert prop.name
            for number in range(2):
                try:
                    found = tree.resolve(f"b{number}")
                    assert found.get("type") == "brief"
                    assert tree.get("/objects", f"b{number}") == f"/objects/b{number}"
                except ConfigError as error:
                    assert "not found" in str(error)  # noqa: PT017 - both ways are right

    run(churn(0), churn(1), look, look)
    assert len(gone) == 2 * ROUNDS
    assert dict(tree.container("/objects").children) == {}
    assert [prop.name for prop in tree.container("/objects").properties()] == ["type"]


def test_links_are_counted_right(tree: ObjectTree) -> None:
    target = add_object(tree, "memory-backend-ram", "mm")
    holders = [add_object(tree, "thread-context", f"h{number}") for number in range(THREADS)]
    for number, holder in enumerate(holders):
        holder.add_link("to", "memory-backend", strong=number % 2 == 0)

    def flip(holder: Object) -> Callable[[], None]:
        def job() -> None:
            for _ in range(ROUNDS):
                holder.set("to", "mm")
                assert holder.get("to") == "/objects/mm"
                holder.set("to", "")

        return job

    run(*map(flip, holders))
    assert not target.busy
    target.unparent()
    with pytest.raises(NotFoundError):
        tree.resolve("mm")


def test_one_of_many_wins(tree: ObjectTree) -> None:
    won: list[int] = []

    def claim(number: int) -> Callable[[], None]:
        def job() -> None:
            for turn in range(20):
                try:
                    add_object(tree, "memory-backend-ram", f"mm{turn}")
                    won.append(turn)
                except ConfigError as error:
                    assert "duplicate property" in str(error)  # noqa: PT017

        return job

    run(*(claim(number) for number in range(THREADS)))
    assert sorted(won) == list(range(20))
