import pytest

from guestmap.base import ConfigError
from tests.support.chipset import Chipset

BDF = 5 << 3
MEMORY, PORTS = 0xE000_0000, 0xC000


@pytest.fixture
def board() -> Chipset:
    board = Chipset()
    board.test_device(5, 0x10000)
    board.config_store(BDF, 0x10, 4, MEMORY)
    board.config_store(BDF, 0x14, 4, PORTS)
    board.config_store(BDF, 0x18, 4, 0xE010_0000)
    board.config_store(BDF, 4, 2, 3)
    return board


# Headers as QEMU 7.2 answers them: test, width, offset, datum, count, name.
@pytest.mark.parametrize(
    ("number", "header"),
    [
        (0, "00010000 00080000 fa000000 00000000" + b"mmio-no-eventfd\0".hex()),
        (1, "01010000 01080000 ce000000 00000000" + b"mmio-wildcard-eventfd\0".hex()),
        (2, "02010000 02080000 fa000000 00000000" + b"mmio-datamatch-eventfd\0".hex()),
    ],
)
def test_memory_tests_show_their_header(board, number, header):
    board.system.store(MEMORY, 1, number)
    expected = bytes.fromhex(header)
    assert bytes(board.system.load(MEMORY + n, 1) for n in range(len(expected))) == expected


@pytest.mark.parametrize(
    ("number", "header"),
    [
        (0, "03010000 83000000 fa000000 00000000" + b"portio-no-eventfd\0".hex()),
        (1, "04010000 84000000 ce000000 00000000" + b"portio-wildcard-eventfd\0".hex()),
        (2, "05010000 85000000 fa000000 00000000" + b"portio-datamatch-eventfd\0".hex()),
    ],
)
def test_port_tests_show_their_header(board, number, header):
    board.io.store(PORTS, 1, number)
    expected = bytes.fromhex(header)
    assert bytes(board.io.load(PORTS + n, 1) for n in range(len(expected))) == expected


def count(board: Chipset) -> int:
    return board.system.load(MEMORY + 12, 4)


def test_only_the_right_datum_counts(board):
    board.system.store(MEMORY, 1, 0)
    for value in (0xFA, 0xFB, 0, 0xFA):
        board.system.store(MEMORY + 0x800, 1, value)
    board.system.store(MEMORY + 0x804, 1, 0xFA)
    assert count(board) == 2


def test_what_an_event_takes_does_not_count(board):
    board.system.store(MEMORY, 1, 1)
    board.system.store(MEMORY + 0x801, 1, 0xCE)
    assert count(board) == 0
    board.system.store(MEMORY, 1, 2)
    board.system.store(MEMORY + 0x802, 1, 0xFA)
    assert count(board) == 0
    board.system.store(MEMORY + 0x802, 2, 0xFA)  # not the event's size
    assert count(board) == 1


def test_an_unknown_number_stops_the_test(board):
    board.system.store(MEMORY, 1, 0)
    board.system.store(MEMORY, 1, 3)
    assert board.system.load(MEMORY, 4) == 0


def test_reset_stops_the_test(board):
    board.system.store(MEMORY, 1, 0)
    board.reset()
    board.config_store(BDF, 0x10, 4, MEMORY)
    board.config_store(BDF, 4, 2, 3)
    assert board.system.load(MEMORY, 4) == 0


def test_nobody_answers_in_the_third_window(board):
    assert board.where("pci-testdev-membar") == []
    assert board.system.find(0xE010_0000) is None


def test_third_window_is_optional_and_a_power_of_two():
    board = Chipset()
    board.test_device(5)
    assert board.config_load(BDF, 0x18, 4) == 0
    with pytest.raises(ConfigError, match="power of two"):
        board.test_device(6, 3 << 20)
