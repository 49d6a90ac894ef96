"""Reading more than one thing of a map that others change."""

from __future__ import annotations

import threading

import pytest

from guestmap.base import StateError
from guestmap.memory import MemoryListener, MemoryRegion, MemorySystem

pytest.importorskip("msgspec", reason="guestmap.inspect needs msgspec")
from guestmap.inspect import Snapshot

A_WHILE_S = 0.2
"""How long to wait for what must not happen."""


def test_a_snapshot_that_is_taken_steadily_is_never_torn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that moves is enabled: no view and no generation tells of it."""
    memory = MemorySystem()
    root = memory.container("root", 0x10000)
    first, observed, second = (
        memory.io(name, 0x10, None) for name in ("first", "observed", "second")
    )
    for region in (first, observed, second):
        root.add_subregion(0x100, region)
        region.set_enabled(False)
    memory.address_space("space", root)

    def move() -> None:
        with memory.transaction():
            first.set_address(0x200)
            second.set_address(0x200)

    mover = threading.Thread(target=move)

    def move_when_read(region: MemoryRegion) -> str:
        if region is observed:
            mover.start()
            mover.join(A_WHILE_S)
        return type_of(region)

    type_of = MemoryRegion.mtree_type
    monkeypatch.setattr(MemoryRegion, "mtree_type", move_when_read)
    with memory.steady():
        snapshot = Snapshot.of(memory)
    mover.join()
    moved = {each.name: each.addr for each in snapshot.regions}
    assert (moved["first"], moved["second"]) == (0x100, 0x100)
    assert (first.addr, second.addr) == (0x200, 0x200)


def test_whoever_reads_steadily_waits_for_the_end_of_a_transaction() -> None:
    memory = MemorySystem()
    root = memory.container("root", 0x10000)
    region = memory.io("region", 0x10, None)
    root.add_subregion(0x100, region)
    seen: list[int] = []

    def read() -> None:
        with memory.steady():
            seen.append(region.addr)

    reader = threading.Thread(target=read)
    with memory.transaction():
        region.set_address(0x200)
        reader.start()
        reader.join(A_WHILE_S)
        region.set_address(0x300)
    reader.join()
    assert seen == [0x300]


def test_readers_do_not_change_and_changers_do_not_read_steadily() -> None:
    memory = MemorySystem()
    root = memory.container("root", 0x10000)
    space = memory.address_space("space", root)
    with memory.steady(), memory.steady():
        with pytest.raises(StateError, match="steady"):
            root.set_enabled(False)
        with pytest.raises(StateError, match="steady"), memory.transaction():
            pass
    with memory.transaction(), pytest.raises(StateError, match="transaction"), memory.steady():
        pass

    class Reads(MemoryListener):
        def commit(self) -> None:
            with pytest.raises(StateError, match="told"), memory.steady():
                pass

    space.register_listener(Reads())
    root.set_enabled(False)
    assert not root.enabled


def test_steadiness_ends_with_an_exception_too() -> None:
    memory = MemorySystem()
    root = memory.container("root", 0x10000)
    with pytest.raises(ZeroDivisionError), memory.steady():
        1 / 0  # noqa: B018
    root.set_enabled(False)
    changer = threading.Thread(target=root.set_enabled, args=[True])
    changer.start()
    changer.join(30)
    assert root.enabled
