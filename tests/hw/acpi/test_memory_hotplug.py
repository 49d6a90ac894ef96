"""The registers of memory slots: what a guest reads and does, with no machine around them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import StateError
from guestmap.hw.acpi.memory_hotplug import AcpiMemoryHotplug, OstReport, PluggedMemory
from tests.support.bus import ports_of

PORT = 0xA00
SELECT, OST_EVENT, OST_STATUS, FLAGS = 0xA00, 0xA04, 0xA08, 0xA14
ENABLED, INSERTING, REMOVING, EJECT = 1, 2, 4, 8
DIMM = PluggedMemory("d0", 0x12_3456_0000, 0x7_8900_0000, 3)


class Board:
    def __init__(self, slots: int = 2) -> None:
        self.events: list[object] = []
        self.hotplug = AcpiMemoryHotplug(slots, raise_gpe=lambda: self.events.append("gpe"))
        self.ports = ports_of(self.hotplug)
        self.hotplug.on_ost = self.events.append
        self.hotplug.on_eject = self.eject

    def eject(self, slot: int) -> bool:
        self.events.append(f"eject {slot}")
        self.hotplug.unplug(slot)
        return True

    def registers(self, slot: int) -> list[int]:
        self.ports.store(SELECT, 4, slot)
        return [self.ports.load(PORT + offset, 4) for offset in range(0, 24, 4)]


@pytest.fixture
def board() -> Board:
    return Board()


def test_a_slot_shows_its_device(board):
    board.hotplug.plug(1, DIMM, hotplugged=False)
    assert board.registers(1) == [0x3456_0000, 0x12, 0x8900_0000, 0x7, 3, ENABLED]
    assert board.registers(0) == [0] * 6
    assert board.registers(2) == [0] * 6
    assert board.events == []


def test_a_device_that_comes_while_the_guest_runs_raises_an_event(board):
    board.hotplug.plug(0, DIMM, hotplugged=True)
    assert board.registers(0)[5] == ENABLED | INSERTING
    assert board.events == ["gpe"]
    board.ports.store(FLAGS, 1, INSERTING)
    assert board.registers(0)[5] == ENABLED


def test_asking_again_for_a_device_raises_the_event_again(board):
    board.hotplug.plug(0, DIMM, hotplugged=False)
    for _ in range(2):
        board.hotplug.unplug_request(0)
        assert board.registers(0)[5] == ENABLED | REMOVING
    assert board.events == ["gpe", "gpe"]
    board.ports.store(FLAGS, 1, REMOVING)
    assert board.registers(0)[5] == ENABLED


def test_the_guest_ejects(board):
    board.hotplug.plug(0, DIMM, hotplugged=False)
    board.registers(0)
    board.ports.store(FLAGS, 1, EJECT)
    board.ports.store(FLAGS, 1, EJECT)
    assert board.events == ["eject 0"]
    assert board.registers(0) == [0] * 6
    assert board.hotplug.device(0) is None


def test_the_slot_that_is_selected_is_ejected():
    board = Board(slots=4)
    for slot in range(4):
        board.hotplug.plug(slot, DIMM, hotplugged=False)
    for slot in (2, 0, 3):
        board.ports.store(SELECT, 4, slot)
        board.ports.store(FLAGS, 1, EJECT)
    assert board.events == ["eject 2", "eject 0", "eject 3"]
    assert [board.hotplug.device(slot) for slot in range(4)] == [None, DIMM, None, None]


def test_an_ejection_that_fails_leaves_the_slot_as_it_is(board):
    board.hotplug.plug(0, DIMM, hotplugged=False)
    board.hotplug.on_eject = lambda slot: False
    before = board.registers(0)
    board.ports.store(FLAGS, 1, EJECT)
    assert board.registers(0) == before


def test_what_the_guest_said_outlives_the_device(board):
    board.hotplug.plug(0, DIMM, hotplugged=False)
    board.registers(0)
    board.ports.store(OST_EVENT, 4, 0x103)
    assert board.events == []
    board.ports.store(OST_STATUS, 4, 0x84)
    assert board.events == [OstReport(0, "d0", 0x103, 0x84)]
    board.hotplug.unplug(0)
    assert board.hotplug.statuses() == (OstReport(0, None, 0x103, 0x84), OstReport(1, None, 0, 0))


def test_a_slot_is_taken_once_and_emptied_once(board):
    board.hotplug.plug(0, DIMM, hotplugged=False)
    with pytest.raises(StateError, match="already has device 'd0'"):
        board.hotplug.plug(0, DIMM, hotplugged=True)
    board.hotplug.unplug(0)
    for act in (board.hotplug.unplug, board.hotplug.unplug_request):
        with pytest.raises(StateError, match="slot 0 is empty"):
            act(0)
    for slot in (-1, 2):
        with pytest.raises(StateError, match="there is no memory slot"):
            board.hotplug.plug(slot, DIMM, hotplugged=False)
    assert board.events == []


ACCESSES = st.lists(
    st.tuples(
        st.integers(0x9F8, 0xA20),
        st.sampled_from([1, 2, 4, 8]),
        st.one_of(st.none(), st.integers(0, 16), st.integers(0, 2**64 - 1)),
    ),
    max_size=60,
)


@given(accesses=ACCESSES)
def test_a_guest_never_raises_and_changes_no_slot_but_by_ejecting(accesses):
    board = Board()
    board.hotplug.plug(1, DIMM, hotplugged=True)
    for port, size, value in accesses:
        if value is None:
            assert 0 <= board.ports.load(port, size) < 1 << 8 * size
        else:
            board.ports.store(port, size, value & ((1 << 8 * size) - 1))
    ejected = "eject 1" in board.events
    assert board.hotplug.device(1) == (None if ejected else DIMM)
    assert board.hotplug.device(0) is None
