import pytest

from guestmap.base import ConfigError
from guestmap.hw.pci import PciDevice, PciIdentity
from tests.support.chipset import Chipset

IDENTITY = PciIdentity(0x1234, 0x5678, 0xFF00)


@pytest.fixture
def board() -> Chipset:
    return Chipset()


def plug(bus, devfn, **kwargs):
    return PciDevice(bus, devfn, "device", IDENTITY, **kwargs)


def test_a_slot_is_taken_once(board):
    plug(board.bus, 0x28)
    with pytest.raises(ConfigError, match=r"05\.0 is taken by 'device'"):
        plug(board.bus, 0x28)


def test_there_are_32_slots(board):
    with pytest.raises(ConfigError, match="no slot 32"):
        plug(board.bus, 32 << 3)


def test_functions_of_one_slot_must_agree_on_being_several(board):
    plug(board.bus, 0x28)
    with pytest.raises(ConfigError, match="only function there"):
        plug(board.bus, 0x29)
    plug(board.bus, 0x31)
    with pytest.raises(ConfigError, match="would be the only function"):
        plug(board.bus, 0x30)
    plug(board.bus, 0x30, multifunction=True)


def test_the_first_free_slot_of_a_pc_is_2(board):
    assert board.bus.free_slot() == 2 << 3
    plug(board.bus, 2 << 3)
    assert board.bus.free_slot() == 3 << 3


def test_a_full_bus_says_so(board):
    for slot in range(2, 32):
        plug(board.bus, slot << 3)
    with pytest.raises(ConfigError, match="no free slot"):
        board.bus.free_slot()


def test_a_missing_function_reads_all_ones_and_ignores_writes(board):
    board.config_store(0x28, 4, 2, 7)
    assert board.config_load(0x28, 0, 4) == 0xFFFF_FFFF
    assert board.config_load(0x28, 4, 2) == 0xFFFF
    assert board.config_load(0x28, 4, 1) == 0xFF


def number(board, bridge, secondary, subordinate):
    board.config_store(bridge.bus.number << 8 | bridge.devfn, 0x18, 4,
                       subordinate << 16 | secondary << 8 | bridge.bus.number)  # fmt: skip


def test_bus_numbers_are_decoded_through_nested_bridges(board):
    outer = board.bridge(8)
    inner = board.bridge(4, 2, outer.secondary)
    board.test_device(5, bus=inner.secondary)
    number(board, outer, 1, 2)
    number(board, inner, 2, 2)
    assert board.config_load(0x228, 0, 4) == 0x0005_1B36
    number(board, outer, 1, 1)
    assert board.config_load(0x228, 0, 4) == 0xFFFF_FFFF
    number(board, outer, 1, 2)
    assert board.config_load(0x228, 0, 4) == 0x0005_1B36
    assert board.config_load(0x328, 0, 4) == 0xFFFF_FFFF


def test_a_bridge_held_in_reset_forwards_to_its_own_bus_only(board):
    outer = board.bridge(8)
    inner = board.bridge(4, 2, outer.secondary)
    board.test_device(5, bus=outer.secondary)
    board.test_device(5, bus=inner.secondary)
    number(board, outer, 1, 2)
    number(board, inner, 2, 2)
    board.config_store(0x40, 0x3E, 2, 1 << 6)
    number(board, outer, 1, 2)
    assert board.config_load(0x128, 0, 4) == 0x0005_1B36
    assert board.config_load(0x228, 0, 4) == 0xFFFF_FFFF


def test_interrupts_swizzle_through_bridges_and_share_wires(board):
    bridge = board.bridge(8)
    behind = plug(bridge.secondary, 3 << 3)
    beside = plug(board.bus, 6 << 3)
    for device in (behind, beside):
        device.config.set(0x3D, 1)
    # Slot 3 behind: pin A -> 3; slot 8 of a PC has its pin A on wire 3: 3 + 3 -> wire 2.
    # Slot 6: pin A -> wire 1.
    board.config_store(0x08, 0x60, 4, 0x0B0B_0A80)
    behind.set_interrupt(True)
    assert board.lines[11].level
    beside.set_interrupt(True)
    assert board.lines[10].level
    board.config_store(0x08, 0x61, 1, 0x0B)
    assert not board.lines[10].level
    behind.set_interrupt(False)
    assert board.lines[11].level
    beside.set_interrupt(False)
    assert not board.lines[11].level
