import pytest

from guestmap.hw.pci import PciBridge
from tests.support.chipset import Chipset

BRIDGE = 8 << 3
BASE = 0xE100_0000
SLOT_2 = BASE + 0x24 + 4
ENABLED_OCCUPIED, DISABLED_EMPTY = 0x0006, 0x0D0F
"""State, lamps, latch and presence: PCI SHPC specification 1.0, section 4.4.2.10."""


@pytest.fixture
def board() -> Chipset:
    return Chipset()


@pytest.fixture
def bridge(board: Chipset) -> PciBridge:
    bridge = board.bridge(8)
    board.test_device(2, 0, bridge.secondary)
    board.config_store(BRIDGE, 0x10, 4, BASE)
    board.config_store(BRIDGE, 4, 2, 2)
    return bridge


def command(board: Chipset, code: int, target: int = 0) -> int:
    """Run a command and return the status."""
    board.system.store(BASE + 0x14, 2, code | target << 8)
    return board.system.load(BASE + 0x16, 2)


def test_slots_start_as_they_are_filled(board, bridge):
    assert board.system.load(SLOT_2, 2) == ENABLED_OCCUPIED
    assert board.system.load(SLOT_2 + 4, 2) == DISABLED_EMPTY


def test_a_slot_switched_off_in_the_dark_gives_its_function_up(board, bridge):
    assert command(board, 0x0C | 0x03, 2) == 0  # power lamp off, slot disabled
    assert bridge.secondary.devices == {}
    assert board.system.load(SLOT_2, 2) == DISABLED_EMPTY
    assert board.system.load(SLOT_2 + 2, 1) == 0x09  # presence and latch have changed


def test_a_slot_switched_off_with_its_lamp_on_keeps_its_function(board, bridge):
    assert command(board, 0x03, 2) == 0
    assert list(bridge.secondary.devices) == [2 << 3]
    assert board.system.load(SLOT_2, 2) & 3 == 3


def test_commands_that_make_no_sense_are_refused(board, bridge):
    assert command(board, 0x01, 2) == 4  # power only, on a slot that is enabled
    assert command(board, 0x02, 0) == 4  # no such slot
    assert command(board, 0x41) == 8  # 66 MHz
    assert command(board, 0x49) == 4  # enable all, while one is
    assert command(board, 0x60) == 4


def test_enable_all_lights_every_slot(board):
    board.bridge(8)
    board.config_store(BRIDGE, 0x10, 4, BASE)
    board.config_store(BRIDGE, 4, 2, 2)
    assert command(board, 0x49) == 0
    assert {board.system.load(BASE + 0x24 + 4 * n, 2) & 0xF for n in range(31)} == {0x06}


def test_command_completion_interrupts_until_acknowledged(board, bridge):
    board.config_store(0x08, 0x60, 4, 0x0B80_8080)
    board.system.store(BASE + 0x20, 4, 0)
    command(board, 0x40)
    assert board.system.load(BASE + 0x18, 4) == 1
    assert board.lines[11].level
    board.system.store(BASE + 0x22, 1, 1)
    assert board.system.load(BASE + 0x18, 4) == 0
    assert not board.lines[11].level


def test_the_capability_shows_the_selected_register(board, bridge):
    board.config_store(BRIDGE, 0x42, 1, 3)
    assert board.config_load(BRIDGE, 0x44, 4) == 0xE001_011F
    board.config_store(BRIDGE, 0x42, 1, 10)
    assert board.config_load(BRIDGE, 0x44, 2) == ENABLED_OCCUPIED


def test_a_write_through_the_capability_has_the_wrong_datum(board, bridge):
    # Measured on QEMU 7.2: the register at 44h of the working set is what gets written.
    board.config_store(BRIDGE, 0x42, 1, 5)
    board.config_store(BRIDGE, 0x44, 4, 0x0203)
    assert board.system.load(BASE + 0x14, 4) == DISABLED_EMPTY
