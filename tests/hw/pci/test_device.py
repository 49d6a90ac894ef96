import pytest

from guestmap.base import ConfigError
from guestmap.hw.pci import PciDevice, PciIdentity
from guestmap.hw.pci.registers import BAR_IO, BAR_MEMORY_64, BAR_PREFETCH, ROM_SLOT
from guestmap.memory import MemoryRegionOps
from tests.support.chipset import Chipset

IDENTITY = PciIdentity(0x1234, 0x5678, 0x0300)
SLOT, BDF = 5, 5 << 3
COMMAND = 4


class Device(PciDevice):
    """A memory window, a 64-bit one, an I/O window and a ROM."""

    def __init__(self, board: Chipset) -> None:
        super().__init__(board.bus, BDF, "device", IDENTITY)
        answer = MemoryRegionOps(read=lambda _offset, _size: 0x5A)
        memory = board.memory
        self.add_bar(0, memory.io("window", 0x1000, answer))
        self.add_bar(1, memory.io("ports", 0x20, answer), BAR_IO)
        self.add_bar(2, memory.io("large", 1 << 20, answer), BAR_MEMORY_64 | BAR_PREFETCH)
        self.add_bar(ROM_SLOT, memory.io("rom", 0x800, answer))


@pytest.fixture
def board() -> Chipset:
    return Chipset()


@pytest.fixture
def device(board: Chipset) -> Device:
    return Device(board)


def test_sizing_reads_back_type_and_size(board, device):
    for register, expected in ((0x10, 0xFFFF_F000), (0x14, 0xFFFF_FFE1), (0x18, 0xFFF0_000C),
                               (0x1C, 0xFFFF_FFFF), (0x20, 0), (0x30, 0xFFFF_F801)):  # fmt: skip
        board.config_store(BDF, register, 4, 0xFFFF_FFFF)
        assert board.config_load(BDF, register, 4) == expected


def test_a_window_needs_an_address_and_decoding(board, device):
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    assert board.where("window") == []
    board.config_store(BDF, COMMAND, 2, 2)
    assert board.where("window") == [(0xE000_0000, 0x1000)]
    assert board.system.load(0xE000_0000, 1) == 0x5A
    board.config_store(BDF, COMMAND, 2, 1)
    assert board.where("window") == []


@pytest.mark.parametrize(
    ("address", "mapped"),
    [
        (0, False),  # address 0 is never decoded
        (0x1000, True),
        (0xFFFF_E000, True),
        (0xFFFF_F000, False),  # would reach the last byte below 4 GiB
    ],
)
def test_32_bit_window_limits(board, device, address, mapped):
    board.config_store(BDF, COMMAND, 2, 2)
    board.config_store(BDF, 0x10, 4, address)
    assert (device.bars[0].address is not None) == mapped


@pytest.mark.parametrize(
    ("address", "mapped"),
    [
        (1 << 20, True),
        (0xFFF0_0000, True),  # up to the last byte below 4 GiB, with a 64-bit register
        (1 << 40, True),
        (0xFFFF_FFFF_FFE0_0000, True),
        (0xFFFF_FFFF_FFF0_0000, False),
    ],
)
def test_64_bit_window_limits(board, device, address, mapped):
    board.config_store(BDF, COMMAND, 2, 2)
    board.config_store(BDF, 0x18, 4, address & 0xFFFF_FFFF)
    board.config_store(BDF, 0x1C, 4, address >> 32)
    assert device.bars[2].address == (address if mapped else None)


def test_ports_beyond_64_kib_are_mapped_where_no_port_is(board, device):
    board.config_store(BDF, COMMAND, 2, 1)
    board.config_store(BDF, 0x14, 4, 0x1_C000)
    assert device.bars[1].address == 0x1_C000
    assert board.where("ports") == []


def test_rom_has_its_own_enable_bit(board, device):
    board.config_store(BDF, COMMAND, 2, 2)
    board.config_store(BDF, 0x30, 4, 0xE010_0000)
    assert board.where("rom") == []
    board.config_store(BDF, 0x30, 4, 0xE010_0001)
    assert board.where("rom") == [(0xE010_0000, 0x800)]


def test_of_two_windows_at_one_place_the_last_moved_answers(board, device):
    other = PciDevice(board.bus, 6 << 3, "other", IDENTITY)
    other.add_bar(0, board.memory.io("second", 0x1000, None))
    for bdf in (BDF, 6 << 3):
        board.config_store(bdf, 0x10, 4, 0xE000_0000)
        board.config_store(bdf, COMMAND, 2, 2)
    assert board.where("window") == []
    board.config_store(BDF, 0x10, 4, 0xE100_0000)
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    assert board.where("second") == []
    assert board.where("window") == [(0xE000_0000, 0x1000)]


def test_bus_mastering_follows_the_command_register_once_the_machine_is_done(board, device):
    board.ram.buffer[:4] = b"DATA"
    board.config_store(BDF, COMMAND, 2, 4)
    board.bus.machine_done()
    assert device.bus_master.read(0, 4) == bytes(4)
    board.config_store(BDF, COMMAND, 2, 4)
    assert device.bus_master.read(0, 4) == b"DATA"
    board.config_store(BDF, COMMAND, 2, 0)
    assert device.bus_master.read(0, 4) == bytes(4)


def test_a_function_plugged_into_a_complete_machine_is_connected_at_once(board):
    board.bus.machine_done()
    device = Device(board)
    board.config_store(BDF, COMMAND, 2, 4)
    board.ram.buffer[:4] = b"DATA"
    assert device.bus_master.read(0, 4) == b"DATA"


def test_causes_tell_what_moved(board, device):
    board.bus.machine_done()
    board.config_store(BDF, 0x10, 4, 0xFEBF_0000)
    board.config_store(BDF, 0x14, 4, 0xC000)
    board.config_store(BDF, COMMAND, 2, 7)
    assert board.causes()[-1] == (
        "00:05.0 BAR 0: unmapped -> FEBF0000, BAR 1: unmapped -> C000, bus master on"
    )
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    assert board.causes()[-1] == "00:05.0 BAR 0: FEBF0000 -> E0000000"


def test_a_write_that_moves_nothing_commits_nothing(board, device):
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    board.config_store(BDF, COMMAND, 2, 2)
    before = board.memory.generation
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    board.config_store(BDF, COMMAND, 2, 0x102)
    board.config_store(BDF, 0x3C, 1, 11)
    assert board.memory.generation == before


def test_interrupt_pin_honours_the_disable_bit(board, device):
    board.config_store(0x08, 0x60, 4, 0x0B0A_0905)
    device.config.set(0x3D, 1)
    wire_line = board.lines[[5, 9, 10, 11][(SLOT - 1) % 4]]
    device.set_interrupt(True)
    assert wire_line.level
    assert board.config_load(BDF, 6, 2) & 8
    board.config_store(BDF, COMMAND, 2, 0x400)
    assert not wire_line.level
    board.config_store(BDF, COMMAND, 2, 0)
    assert wire_line.level
    device.set_interrupt(False)
    assert not wire_line.level
    assert not board.config_load(BDF, 6, 2) & 8


def test_reset_unmaps_and_keeps_what_lies_above_the_header(board, device):
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    board.config_store(BDF, COMMAND, 2, 7)
    board.config_store(BDF, 0x3C, 1, 11)
    board.config_store(BDF, 0x0C, 1, 0x10)
    board.config_store(BDF, 0x80, 1, 0x77)
    board.reset()
    assert board.where("window") == []
    assert board.config_load(BDF, COMMAND, 2) == 0
    assert board.config_load(BDF, 0x10, 4) == 0
    assert board.config_load(BDF, 0x3C, 1) == 0
    assert board.config_load(BDF, 0x0C, 1) == 0
    assert board.config_load(BDF, 0x80, 1) == 0x77


def test_removing_a_function_takes_everything_along(board, device):
    board.config_store(BDF, 0x10, 4, 0xE000_0000)
    board.config_store(BDF, COMMAND, 2, 7)
    device.remove()
    assert board.where("window") == []
    assert board.config_load(BDF, 0, 4) == 0xFFFF_FFFF
    assert device.bus_master not in board.memory.address_spaces
    Device(board)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("behind_a_bridge", [False, True])
def test_removing_a_function_lets_go_of_its_wire_and_of_no_other(
    board, device, masked, behind_a_bridge
):
    """The wire is shared by functions that are four slots apart."""
    board.config_store(0x08, 0x60, 4, 0x0B0A_0905)
    other = PciDevice(board.bus, SLOT + 4 << 3, "other", IDENTITY)
    gone, bus = device, board.bus
    if behind_a_bridge:
        bridge = board.bridge(SLOT + 3)  # slots are counted on through a bridge
        bus = bridge.secondary
        gone = PciDevice(bus, 1 << 3, "behind", IDENTITY)
    line = board.lines[[5, 9, 10, 11][(SLOT - 1) % 4]]
    for each in (gone, other):
        each.config.set(0x3D, 1)
        each.set_interrupt(True)
    if masked:
        gone.config_write(COMMAND, 0x400, 2)
    gone.remove()
    assert line.level  # the other still pulls it
    other.set_interrupt(False)
    assert not line.level
    assert not any(each.level for each in board.lines)


def test_capabilities_form_a_list_and_are_read_only(board, device):
    device.add_capability(0x05, 0x50, 8)
    device.add_capability(0x09, 0x60, 4)
    board.config_store(BDF, 0x50, 4, 0xFFFF_FFFF)
    assert board.config_load(BDF, 0x34, 1) == 0x60
    assert board.config_load(BDF, 0x60, 2) == 0x5009
    assert board.config_load(BDF, 0x50, 4) == 0x0000_0005
    assert board.config_load(BDF, 6, 2) & 0x10


def test_impossible_windows_are_refused(board, device):
    with pytest.raises(ConfigError, match="power of two"):
        device.add_bar(4, board.memory.container("odd", 0x1800))
    with pytest.raises(ConfigError, match="has no BAR 7"):
        device.add_bar(7, board.memory.container("seventh", 0x1000))
