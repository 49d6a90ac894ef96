import pytest

from guestmap.hw.smbus.host import PmSmbus
from guestmap.hw.smbus.slave import Eeprom
from tests.support.bus import ports_of

PORT = 0xB100
STATUS, CONTROL, COMMAND, ADDRESS, DATA_0, DATA_1, BLOCK, AUXILIARY = 0, 2, 3, 4, 5, 6, 7, 13
BUSY, DONE, ERROR, FAILED, BYTE_DONE = 1, 2, 4, 0x10, 0x80
START = 0x41  # with interrupts, so that it runs at once
BYTE, BYTE_DATA, WORD_DATA, BLOCK_DATA, I2C = (kind << 2 for kind in (1, 2, 3, 5, 6))
CHIP = 0x50


class Board:
    def __init__(self) -> None:
        self.chips = {0x50: Eeprom(bytes(range(256))), 0x51: Eeprom()}
        self.space = ports_of(PmSmbus(self.chips))

    def __getitem__(self, register: int) -> int:
        return self.space.load(PORT + register, 1)

    def __setitem__(self, register: int, value: int) -> None:
        self.space.store(PORT + register, 1, value)

    def run(self, kind: int, *, read: bool, address: int = CHIP) -> int:
        self[STATUS] = 0xFF
        self[ADDRESS] = address << 1 | read
        self[CONTROL] = START | kind
        return self[STATUS]


@pytest.fixture
def board() -> Board:
    return Board()


def test_byte_reads_go_on_from_the_pointer(board):
    board[COMMAND] = 0x10
    assert board.run(BYTE, read=False) == DONE
    assert board.run(BYTE, read=True) == DONE
    assert board[DATA_0] == 0x10
    board.run(BYTE, read=True)
    assert board[DATA_0] == 0x11


def test_byte_and_word_data(board):
    board[COMMAND] = 0x20
    board[DATA_0], board[DATA_1] = 0xAA, 0xBB
    board.run(WORD_DATA, read=False)
    assert board.chips[CHIP].data[0x20:0x22] == b"\xaa\xbb"
    board.run(BYTE_DATA, read=True)
    assert board[DATA_0] == 0xAA
    board[DATA_0] = 0
    board.run(WORD_DATA, read=True)
    assert (board[DATA_0], board[DATA_1]) == (0xAA, 0xBB)


def test_an_absent_slave_is_an_error_that_blocks_until_cleared(board):
    assert board.run(BYTE, read=True, address=0x30) == ERROR
    board[ADDRESS] = CHIP << 1 | 1
    board[CONTROL] = START | BYTE
    assert board[STATUS] == ERROR
    assert board.run(BYTE, read=True) == DONE


def test_without_interrupts_the_transfer_waits_for_the_status_read(board):
    board[ADDRESS] = CHIP << 1 | 1
    board[CONTROL] = 0x40 | BYTE
    assert board[STATUS] == BUSY
    assert board[STATUS] == DONE


def test_block_write_and_read_through_the_buffer(board):
    board[CONTROL] = 0
    for value in (3, 0x11, 0x22):
        board[BLOCK] = value
    board[COMMAND], board[DATA_0] = 0x40, 3
    board[STATUS] = 0xFF
    board[ADDRESS] = CHIP << 1
    board[CONTROL] = START | BLOCK_DATA
    assert board[STATUS] == DONE
    # The length goes over the wire before the data.
    assert board.chips[CHIP].data[0x40:0x44] == b"\x03\x03\x11\x22"
    board[COMMAND] = 0x41
    board.run(BLOCK_DATA, read=True)
    assert board[DATA_0] == 3
    assert [board[BLOCK] for _ in range(3)] == [0x11, 0x22, 0x44]


def test_i2c_read_gives_byte_after_byte_until_the_last(board):
    board[AUXILIARY] = 0
    board[DATA_1] = 0x30
    assert board.run(I2C, read=True) == BUSY | BYTE_DONE
    assert board[BLOCK] == 0x30
    board[STATUS] = BYTE_DONE
    assert board[BLOCK] == 0x31
    board[CONTROL] = 0x21 | I2C
    board[STATUS] = BYTE_DONE
    assert board[BLOCK] == 0x32
    assert board[STATUS] == DONE


def test_kill_ends_a_transfer(board):
    board.run(I2C, read=True)
    board[CONTROL] = 0x02
    assert board[STATUS] & (BUSY | FAILED) == FAILED


def test_address_0_reaches_everybody(board):
    board[COMMAND], board[DATA_0] = 0x05, 0x77
    board.run(BYTE_DATA, read=False, address=0)
    assert [chip.data[5] for chip in board.chips.values()] == [0x77, 0x77]
    board.run(BYTE, read=True, address=0)
    assert board[DATA_0] == 0xFF
