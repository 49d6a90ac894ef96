import pytest

from tests.support.chipset import CONFIG_ADDRESS, CONFIG_DATA, Chipset


@pytest.fixture
def board() -> Chipset:
    return Chipset()


def test_only_a_whole_write_sets_the_address(board):
    board.io.store(CONFIG_ADDRESS, 4, 0x8000_0034)
    board.io.store(CONFIG_ADDRESS, 2, 0x1234)
    board.io.store(CONFIG_ADDRESS, 1, 0x12)
    board.io.store(CONFIG_ADDRESS + 2, 2, 0x1234)
    assert board.io.load(CONFIG_ADDRESS, 4) == 0x8000_0034


def test_every_narrow_read_shows_the_low_bits(board):
    # Measured on QEMU 7.2: the register does not shift for offsets 1 to 3.
    board.io.store(CONFIG_ADDRESS, 4, 0x8012_3456)
    assert board.io.load(CONFIG_ADDRESS, 1) == 0x56
    assert board.io.load(CONFIG_ADDRESS + 2, 1) == 0x56
    assert board.io.load(CONFIG_ADDRESS + 3, 1) == 0x56
    assert board.io.load(CONFIG_ADDRESS + 2, 2) == 0x3456


def test_nothing_answers_while_the_enable_bit_is_clear(board):
    board.io.store(CONFIG_ADDRESS, 4, 0)
    assert board.io.load(CONFIG_DATA, 4) == 0xFFFF_FFFF
    assert board.io.load(CONFIG_DATA + 1, 1) == 0xFF


def test_data_bytes_are_addressed_by_the_port(board):
    board.io.store(CONFIG_ADDRESS, 4, 0x8000_0000)
    assert board.io.load(CONFIG_DATA, 4) == 0x1237_8086
    assert board.io.load(CONFIG_DATA + 2, 2) == 0x1237
    assert board.io.load(CONFIG_DATA + 1, 1) == 0x80


def test_low_bits_of_the_address_are_ored_with_the_port(board):
    board.io.store(CONFIG_ADDRESS, 4, 0x8000_0001)
    assert board.io.load(CONFIG_DATA, 4) == 0x0012_3780
    assert board.io.load(CONFIG_DATA, 1) == 0x80
    assert board.io.load(CONFIG_DATA + 2, 1) == 0x12


def test_the_last_register_is_cut_off_at_256(board):
    board.io.store(CONFIG_ADDRESS, 4, 0x8000_00FE)
    board.io.store(CONFIG_DATA, 4, 0x1122_3344)
    assert board.io.load(CONFIG_DATA, 4) == 0x3344


def test_the_address_outlives_a_reset(board):
    board.io.store(CONFIG_ADDRESS, 4, 0x8000_0008)
    board.reset()
    assert board.io.load(CONFIG_ADDRESS, 4) == 0x8000_0008
