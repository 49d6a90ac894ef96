import pytest

from guestmap.hw.piix4_pm import Piix4Pm
from tests.support.chipset import PM, Chipset

APM_CONTROL, APM_STATUS = 0xB2, 0xB3
HOTPLUG = 0xAE00
CPUS = 0xAF00


@pytest.fixture
def board() -> Chipset:
    return Chipset()


def test_acpi_registers_move_with_40h_and_open_with_80h(board):
    assert board.where("acpi-tmr") == []
    board.config_store(PM, 0x40, 4, 0x601)
    board.config_store(PM, 0x80, 1, 1)
    assert board.where("acpi-tmr") == [(0x608, 4)]
    assert board.causes()[-1] == "00:01.3 ACPI registers: 0600"
    board.config_store(PM, 0x40, 4, 0xB03F)
    assert board.where("acpi-tmr") == [(0xB008, 4)]
    board.config_store(PM, 0x80, 1, 0)
    assert board.where("acpi-tmr") == []


def test_smbus_moves_with_90h_and_closes_with_d2h(board):
    assert board.where("pm-smbus") == [(0xB100, 64)]
    board.config_store(PM, 0x90, 4, 0x701)
    assert board.where("pm-smbus") == [(0x700, 64)]
    board.config_store(PM, 0xD2, 1, 8)
    assert board.where("pm-smbus") == []


def test_reset_closes_the_acpi_registers_and_leaves_the_smbus(board):
    board.config_store(PM, 0x40, 4, 0x6C1)
    board.config_store(PM, 0x80, 1, 1)
    board.config_store(PM, 0x90, 4, 0x701)
    board.reset()
    assert board.config_load(PM, 0x40, 4) == 0x601
    assert board.where("acpi-evt") == []
    assert board.where("pm-smbus") == [(0x700, 64)]


def test_apm_control_raises_an_smi_when_told_to(board):
    board.io.store(APM_CONTROL, 1, 0x12)
    assert board.requests == []
    board.config_store(PM, 0x5B, 1, 2)
    board.io.store(APM_CONTROL, 1, 0x12)
    assert board.requests == ["smi"]
    board.io.store(APM_STATUS, 1, 0x34)
    assert board.requests == ["smi"]
    assert (board.io.load(APM_CONTROL, 1), board.io.load(APM_STATUS, 1)) == (0x12, 0x34)


def test_apm_switches_acpi_mode(board):
    board.config_store(PM, 0x40, 4, 0x601)
    board.config_store(PM, 0x80, 1, 1)
    board.io.store(APM_CONTROL, 1, 0xF1)
    assert board.io.load(0x604, 2) == 1
    board.io.store(APM_CONTROL, 1, 0xF0)
    assert board.io.load(0x604, 2) == 0


def test_a_machine_without_smm_says_so_and_is_in_acpi_mode():
    board = Chipset(smm=False)
    board.config_store(PM, 0x40, 4, 0x601)
    board.config_store(PM, 0x80, 1, 1)
    assert board.config_load(PM, 0x5B, 1) == 2
    assert board.io.load(0x604, 2) == 1
    board.config_store(PM, 0x5B, 1, 0)
    board.reset()
    assert board.config_load(PM, 0x5B, 1) == 2


def test_soft_off(board):
    board.config_store(PM, 0x40, 4, 0x601)
    board.config_store(PM, 0x80, 1, 1)
    board.io.store(0x604, 2, 0x2000)
    assert board.requests == ["off"]


@pytest.mark.parametrize(
    ("serial", "parallel", "expected"), [(0, 0, (0x10, 0)), (1, 1, (0x90, 8)), (2, 0, (0x10, 0x98))]
)
def test_ports_of_the_board_are_told(serial, parallel, expected):
    board = Chipset()
    pm = Piix4Pm(
        board.bus, 0x13, board.clock, board.lines[9], serial_ports=serial, parallel_ports=parallel
    )
    assert (pm.config.data[0x5F], pm.config.data[0x67]) == expected


def test_hotplug_registers_name_what_may_go(board):
    board.bridge(8)
    assert board.io.load(HOTPLUG + 0xC, 4) == 0xFFFF_FEFC
    board.io.store(HOTPLUG + 0x10, 4, 1)
    assert board.io.load(HOTPLUG + 0xC, 4) == 0xFFFF_FFFF
    assert board.io.load(HOTPLUG + 0x10, 4) == 1
    board.io.store(HOTPLUG + 0x10, 4, 256)
    assert board.io.load(HOTPLUG + 0x10, 4) == 0
    assert board.io.load(HOTPLUG + 0xC, 1) == 0


def test_hotplug_tells_of_plug_and_unplug_once(board):
    device = board.test_device(5)
    board.pm.pci_hotplug.tell_plugged(device)
    assert board.io.load(HOTPLUG, 4) == 1 << 5
    assert board.io.load(HOTPLUG, 4) == 0
    board.pm.pci_hotplug.unplug_request(device)
    assert board.io.load(HOTPLUG + 4, 4) == 1 << 5
    board.io.store(HOTPLUG + 8, 4, 1 << 5)
    assert board.io.load(HOTPLUG + 4, 4) == 0
    assert board.config_load(5 << 3, 0, 4) == 0xFFFF_FFFF


def test_what_is_not_hotpluggable_cannot_be_ejected(board):
    board.io.store(HOTPLUG + 8, 4, 1 << 1)
    assert sorted(board.bus.devices) == [0x00, 0x08, 0x09, 0x0B]


def test_a_reset_takes_out_what_was_asked_to_go(board):
    device = board.test_device(5)
    board.pm.pci_hotplug.unplug_request(device)
    board.reset()
    assert board.config_load(5 << 3, 0, 4) == 0xFFFF_FFFF
    assert board.io.load(HOTPLUG + 4, 4) == 0


def test_processors_as_a_bitmap_until_firmware_asks_for_more():
    board = Chipset(cpus=3)
    assert board.io.load(CPUS, 1) == 0b111
    board.io.store(CPUS, 1, 0xFF)
    board.io.store(CPUS + 1, 1, 0)
    assert board.where("acpi-cpu-hotplug") == [(CPUS, 32)]
    board.io.store(CPUS, 1, 0)
    assert board.where("acpi-cpu-hotplug") == [(CPUS, 12)]
    board.io.store(CPUS, 4, 2)
    board.io.store(CPUS + 5, 1, 3)
    assert board.io.load(CPUS + 4, 1) == 1
    assert board.io.load(CPUS + 8, 4) == 2
    board.io.store(CPUS, 4, 3)
    assert board.io.load(CPUS + 4, 1) == 0
