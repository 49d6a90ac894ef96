"""Message-signalled interrupts: PCI Local Bus 3.0, section 6.8.1."""

from __future__ import annotations

import pytest

from guestmap.hw.pci import PciDevice, PciIdentity
from guestmap.hw.pci.msi import MsiCapability
from tests.support.chipset import Chipset

BDF, AT = 5 << 3, 0x40
FLAGS, ADDRESS, ADDRESS_HIGH, DATA, MASK, PENDING = (AT + n for n in (2, 4, 8, 12, 16, 20))
TARGET = 0x1000


class Function(PciDevice):
    """A function with the capability, whose messages go to RAM."""

    def __init__(self, board: Chipset) -> None:
        super().__init__(board.bus, BDF, "function", PciIdentity(0x1234, 0x5678, 0x0300))
        self.msi = MsiCapability(self, AT)
        self._ram = board.ram
        self.config.set(0x3D, 1)

    def config_write(self, offset: int, value: int, size: int) -> None:
        super().config_write(offset, value, size)
        self.msi.written(offset, size)

    def message(self) -> int:
        """Return what has arrived, and take it away."""
        value = int.from_bytes(self._ram.buffer[TARGET : TARGET + 4], "little")
        self._ram.buffer[TARGET : TARGET + 4] = bytes(4)
        return value


@pytest.fixture
def function() -> Function:
    board = Chipset()
    board.bus.machine_done()
    made = Function(board)
    for offset, value, size in (
        (0x04, 4, 2), (ADDRESS, TARGET, 4), (ADDRESS_HIGH, 0, 4), (DATA, 0x4142, 2), (FLAGS, 1, 2),
    ):  # fmt: skip
        made.config_write(offset, value, size)
    return made


def test_a_message_is_a_write_of_the_data(function: Function) -> None:
    assert function.msi.enabled
    function.msi.notify()
    assert function.message() == 0x4142
    assert function.config_read(PENDING, 4) == 0


def test_a_masked_message_waits_until_it_is_let_through_and_comes_once(
    function: Function,
) -> None:
    function.config_write(MASK, 1, 4)
    for _ in range(2):
        function.msi.notify()
    assert (function.message(), function.config_read(PENDING, 4)) == (0, 1)
    function.config_write(DATA, 0x5152, 2)  # any write: it is masked still
    assert (function.message(), function.config_read(PENDING, 4)) == (0, 1)
    function.config_write(MASK, 0, 4)
    assert (function.message(), function.config_read(PENDING, 4)) == (0x5152, 0)
    function.config_write(MASK, 0, 4)
    assert function.message() == 0


@pytest.mark.parametrize(("offset", "size"), [(AT - 4, 4), (AT + 0x18, 4)])
def test_writes_beside_the_capability_are_none_of_its_business(
    function: Function, offset: int, size: int
) -> None:
    function.config_write(MASK, 1, 4)
    function.msi.notify()
    function.config.set(MASK, 0, 4)
    function.config_write(offset, 0, size)
    assert function.message() == 0
    function.config_write(AT + 0x14, 0, 4)  # the last of its registers
    assert function.message() == 0x4142


def test_switching_messages_on_lets_go_of_the_pin(function: Function) -> None:
    function.config_write(FLAGS, 0, 2)
    function.set_interrupt(True)
    function.config_write(DATA, 1, 2)
    assert function.interrupt_level
    function.config_write(FLAGS, 1, 2)
    assert not function.interrupt_level


@pytest.mark.parametrize(
    ("offset", "size", "kept"),
    [(FLAGS, 2, 0x0181), (ADDRESS, 4, 0xFFFFFFFC), (ADDRESS_HIGH, 4, 0xFFFFFFFF),
     (DATA, 2, 0xFFFF), (MASK, 4, 1), (PENDING, 4, 0)],
)  # fmt: skip
def test_what_the_registers_keep(function: Function, offset: int, size: int, kept: int) -> None:
    function.config_write(offset, (1 << 8 * size) - 1, size)
    assert function.config_read(offset, size) == kept


def test_reset_forgets_everything(function: Function) -> None:
    function.config_write(MASK, 1, 4)
    function.msi.notify()
    function.msi.reset()
    assert not function.msi.enabled
    assert function.config_read(FLAGS, 2) == 0x0180  # what it can do
    assert [function.config_read(offset, 4) for offset in (ADDRESS, ADDRESS_HIGH, MASK)] == [0] * 3
    assert [function.config_read(DATA, 2), function.config_read(PENDING, 4)] == [0, 0]
