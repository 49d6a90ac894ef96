import pytest

from tests.support.chipset import IDE, ISA, Chipset

RESET_PORT = 0xCF9


@pytest.fixture
def board() -> Chipset:
    return Chipset()


def test_reset_control_lies_over_the_configuration_address(board):
    board.io.store(0xCF8, 4, 0x8000_0000)
    board.io.store(RESET_PORT, 1, 2)
    assert board.io.load(RESET_PORT, 1) == 2
    assert board.io.load(0xCF8, 4) == 0x8000_0000


def test_reset_is_requested_by_bit_2_which_is_not_kept(board):
    board.io.store(RESET_PORT, 1, 2)
    assert board.requests == []
    board.io.store(RESET_PORT, 1, 6)
    assert board.requests == ["reset"]
    assert board.io.load(RESET_PORT, 1) == 2
    board.reset()
    assert board.io.load(RESET_PORT, 1) == 0


def test_routes_above_15_disconnect_a_wire(board):
    assert [board.isa.route(wire) for wire in range(4)] == [None] * 4
    board.config_store(ISA, 0x60, 4, 0x8F0F_0B0A)
    assert [board.isa.route(wire) for wire in range(4)] == [10, 11, 15, None]


def test_reset_disconnects_interrupts_that_are_pending(board):
    device = board.test_device(5)
    device.config.set(0x3D, 1)
    board.config_store(ISA, 0x60, 4, 0x0B0B_0B0B)
    device.set_interrupt(True)
    assert board.lines[11].level
    board.isa.reset()
    assert not board.lines[11].level


def test_bus_master_registers_are_bytes(board):
    board.config_store(IDE, 0x20, 4, 0xC000)
    board.config_store(IDE, 4, 2, 1)
    board.io.store(0xC000, 2, 0xFFFF)
    assert board.io.load(0xC000, 2) == 0xFFFF
    assert board.io.load(0xC000, 1) == 0


def test_a_started_channel_is_active_until_stopped(board):
    board.config_store(IDE, 0x20, 4, 0xC000)
    board.config_store(IDE, 4, 2, 1)
    board.io.store(0xC000, 1, 0xFF)
    assert board.io.load(0xC000, 1) == 0x09
    assert board.io.load(0xC002, 1) == 0x01
    board.io.store(0xC002, 1, 0xFF)
    assert board.io.load(0xC002, 1) == 0x61
    board.io.store(0xC000, 1, 0)
    assert board.io.load(0xC002, 1) == 0x60
    assert board.io.load(0xC008, 1) == 0


def test_the_descriptor_table_pointer_is_a_multiple_of_four(board):
    board.config_store(IDE, 0x20, 4, 0xC000)
    board.config_store(IDE, 4, 2, 1)
    board.io.store(0xC00C, 4, 0x1234_5677)
    assert board.io.load(0xC00C, 4) == 0x1234_5674
    board.ide.reset()
    assert board.ide.channels[1].state.pointer == 0
