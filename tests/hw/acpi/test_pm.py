import pytest

from guestmap.base import IrqLine, ManualClock
from guestmap.hw.acpi.pm import STATUS_POWER_BUTTON, AcpiPm, PowerActions
from tests.support.bus import ports_of
from tests.support.clocks import BusyClock

EVENT, CONTROL, TIMER, GPE = 0x0, 0x4, 0x8, 0xAFE0
SECOND = 1_000_000_000
HZ = 3_579_545
"""ACPI specification 6.4, section 4.8.3.3."""


class Board:
    def __init__(self, *, acpi_only: bool = False) -> None:
        self.clock = ManualClock()
        self.sci = IrqLine()
        self.requests: list[str] = []
        actions = PowerActions(
            lambda: self.requests.append("off"), lambda: self.requests.append("suspend")
        )
        self.pm = AcpiPm(self.clock, self.sci, actions, acpi_only=acpi_only)
        self.event = self.control = self.timer = self.gpe = ports_of(self.pm)


@pytest.fixture
def board() -> Board:
    return Board()


def test_the_timer_counts_at_its_frequency_and_wraps_at_24_bits(board):
    board.clock.advance(SECOND)
    assert board.timer.load(TIMER, 4) == HZ
    board.clock.advance(4 * SECOND)
    assert board.timer.load(TIMER, 4) == (5 * HZ) & 0xFF_FFFF


def test_the_timer_ignores_writes(board):
    board.clock.advance(SECOND)
    board.timer.store(TIMER, 4, 0)
    assert board.timer.load(TIMER, 4) == HZ


def test_timer_status_comes_when_bit_23_changes(board):
    assert board.event.load(EVENT, 2) & 1  # it is set at power-on, as in QEMU
    board.event.store(EVENT, 2, 1)
    assert not board.event.load(EVENT, 2) & 1
    half = 0x80_0000 * SECOND // HZ
    board.clock.advance(half - 1000)
    assert not board.event.load(EVENT, 2) & 1
    board.clock.advance(2000)
    assert board.event.load(EVENT, 2) & 1


def test_the_timer_interrupts_when_enabled(board):
    board.event.store(EVENT, 2, 1)
    board.event.store(EVENT + 2, 2, 1)
    assert not board.sci.level
    board.clock.advance(3 * SECOND)
    assert board.sci.level
    board.event.store(EVENT, 2, 1)
    assert not board.sci.level


def test_a_carry_that_is_over_by_the_second_look_at_the_clock_interrupts() -> None:
    clock, sci = BusyClock(look_ns=3 * SECOND), IrqLine()  # a carry takes 2.3 s
    ports = ports_of(AcpiPm(clock, sci, PowerActions()))
    ports.store(EVENT + 2, 2, 1)
    for _ in range(3):
        ports.store(EVENT, 2, 1)
        clock.pass_time(3 * SECOND)
        assert sci.level
        assert ports.load(EVENT, 2) & 1


def test_a_button_interrupts_only_where_enabled(board):
    board.pm.raise_status(STATUS_POWER_BUTTON)
    assert not board.sci.level
    board.event.store(EVENT + 2, 2, STATUS_POWER_BUTTON)
    assert board.sci.level
    board.event.store(EVENT, 2, STATUS_POWER_BUTTON)
    assert not board.sci.level


@pytest.mark.parametrize(
    ("kind", "requests"), [(0, ["off"]), (1, ["suspend"]), (2, ["off"]), (3, [])]
)
def test_sleep_types(board, kind, requests):
    board.control.store(CONTROL, 2, kind << 10)
    assert board.requests == []
    board.control.store(CONTROL, 2, 1 << 13 | kind << 10)
    assert board.requests == requests
    assert board.control.load(CONTROL, 2) == kind << 10


def test_acpi_mode_is_switched_by_the_firmware_or_fixed():
    board = Board()
    assert not board.control.load(CONTROL, 2) & 1
    board.pm.set_acpi_mode(True)
    assert board.control.load(CONTROL, 2) & 1
    fixed = Board(acpi_only=True)
    fixed.pm.set_acpi_mode(False)
    assert fixed.control.load(CONTROL, 2) & 1


def test_general_purpose_events(board):
    board.gpe.store(GPE + 2, 1, 8)
    board.pm.raise_gpe(8)
    assert board.gpe.load(GPE, 1) == 8
    assert board.sci.level
    board.gpe.store(GPE, 1, 8)
    assert board.gpe.load(GPE, 1) == 0
    assert not board.sci.level


def test_reset_clears_everything_but_the_timer(board):
    board.clock.advance(SECOND)
    board.event.store(EVENT + 2, 2, 0x521)
    board.gpe.store(GPE + 2, 2, 0xFFFF)
    board.control.store(CONTROL, 2, 1)
    board.pm.raise_gpe(2)
    board.pm.reset()
    assert board.event.load(EVENT + 2, 2) == 0
    assert board.gpe.load(GPE, 4) == 0
    assert board.control.load(CONTROL, 2) == 0
    assert not board.sci.level
    assert board.timer.load(TIMER, 4) == HZ
