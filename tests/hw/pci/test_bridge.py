import pytest

from guestmap.base import ConfigError
from guestmap.hw.pci import PciBridge
from tests.support.chipset import Chipset

BRIDGE = 8 << 3
BEHIND = 0x100 | 2 << 3
COMMAND = 4


@pytest.fixture
def board() -> Chipset:
    return Chipset()


@pytest.fixture
def bridge(board: Chipset) -> PciBridge:
    bridge = board.bridge(8)
    board.test_device(2, 0x10000, bridge.secondary)
    board.config_store(BRIDGE, 0x18, 4, 0x0001_0100)
    board.config_store(BEHIND, 0x10, 4, 0xE000_0000)
    board.config_store(BEHIND, 0x14, 4, 0xC000)
    board.config_store(BEHIND, COMMAND, 2, 7)
    return bridge


def test_closed_windows_hide_what_is_behind(board, bridge):
    assert board.where("pci-testdev-mmio") == []
    board.config_store(BRIDGE, COMMAND, 2, 7)  # bases and limits are 0: the first MiB and page
    assert board.where("pci-testdev-mmio") == []


def test_memory_window_covers_base_to_limit_in_mib(board, bridge):
    board.config_store(BRIDGE, 0x20, 4, 0xE000_E000)
    board.config_store(BRIDGE, COMMAND, 2, 2)
    assert board.where("pci-testdev-mmio") == [(0xE000_0000, 0x1000)]
    board.config_store(BRIDGE, 0x20, 4, 0xE000_E010)  # limit below base: closed
    assert board.where("pci-testdev-mmio") == []


def test_window_clips_what_reaches_beyond(board, bridge):
    board.config_store(BEHIND, 0x10, 4, 0xE00F_F000)
    board.config_store(BRIDGE, 0x20, 4, 0xE010_E010)
    board.config_store(BRIDGE, COMMAND, 2, 2)
    assert board.where("pci-testdev-mmio") == []
    board.config_store(BRIDGE, 0x20, 4, 0xE000_E000)
    assert board.where("pci-testdev-mmio") == [(0xE00F_F000, 0x1000)]


def test_prefetchable_window_is_64_bits_wide(board, bridge):
    board.config_store(BEHIND, COMMAND, 2, 0)
    board.config_store(BRIDGE, 0x24, 4, 0x0000_0000)
    board.config_store(BRIDGE, 0x28, 4, 0x10)
    board.config_store(BRIDGE, 0x2C, 4, 0x10)
    board.config_store(BRIDGE, COMMAND, 2, 2)
    window = next(r for r in board.pci_region.subregions if r.name == "pci_bridge_pref_mem")
    assert (window.addr, window.size, window.alias_offset) == (
        0x10_0000_0000,
        1 << 20,
        0x10_0000_0000,
    )


def test_io_window_has_4_kib_steps(board, bridge):
    board.config_store(BRIDGE, 0x1C, 2, 0xC0C0)
    board.config_store(BRIDGE, COMMAND, 2, 1)
    assert board.where("pci-testdev-portio") == [(0xC000, 0x100)]
    board.config_store(BRIDGE, 0x1C, 2, 0xD0D0)
    assert board.where("pci-testdev-portio") == []


def test_vga_forwarding_opens_three_ranges(board, bridge):
    board.config_store(BRIDGE, COMMAND, 2, 3)
    board.config_store(BRIDGE, 0x3E, 2, 8)
    found = {
        region.name: (region.addr, region.size, region.enabled)
        for container in (board.pci_region, board.io_region)
        for region in container.subregions
        if "vga" in region.name
    }
    assert found == {
        "pci_bridge_vga_mem": (0xA0000, 0x20000, True),
        "pci_bridge_vga_io_lo": (0x3B0, 0xC, True),
        "pci_bridge_vga_io_hi": (0x3C0, 0x20, True),
    }
    board.config_store(BRIDGE, 0x3E, 2, 0)
    assert not [r for r in board.pci_region.subregions if "vga" in r.name]


def test_any_window_write_makes_the_windows_the_newest_of_their_equals(board, bridge):
    board.test_device(5)
    board.config_store(BRIDGE, 0x20, 4, 0xE000_E000)
    board.config_store(BRIDGE, COMMAND, 2, 2)
    board.config_store(0x28, 0x10, 4, 0xE000_0000)
    board.config_store(0x28, COMMAND, 2, 2)
    front = board.system.find(0xE000_0000).region
    assert front.container is board.pci_region
    board.config_store(BRIDGE, COMMAND, 2, 2)
    front = board.system.find(0xE000_0000).region
    assert front.container is bridge.secondary.memory_region


def test_raising_bus_reset_resets_what_is_behind(board, bridge):
    assert board.config_load(BEHIND, COMMAND, 2) == 7
    board.config_store(BRIDGE, 0x3E, 2, 1 << 6)
    assert board.config_load(BEHIND, COMMAND, 2) == 0
    board.config_store(BEHIND, COMMAND, 2, 3)
    board.config_store(BRIDGE, 0x3E, 2, 1 << 6)  # still raised: no new edge
    assert board.config_load(BEHIND, COMMAND, 2) == 3


def test_reset_leaves_windows_until_the_next_write(board, bridge):
    # Measured on QEMU 7.2: the registers are 0 after a reset, the aliases are where they were.
    board.config_store(BRIDGE, 0x20, 4, 0xE000_E000)
    board.config_store(BRIDGE, COMMAND, 2, 2)
    board.reset()
    window = next(r for r in board.pci_region.subregions if r.name == "pci_bridge_mem")
    assert (window.addr, window.size) == (0xE000_0000, 1 << 20)
    assert board.config_load(BRIDGE, 0x20, 4) == 0
    board.config_store(BRIDGE, COMMAND, 2, 0)
    window = next(r for r in board.pci_region.subregions if r.name == "pci_bridge_mem")
    assert window.addr == 0
    assert not window.enabled


def test_a_master_behind_reaches_all_memory(board, bridge):
    board.bus.machine_done()
    board.ram.buffer[:4] = b"DATA"
    device = bridge.secondary.devices[2 << 3]
    board.config_store(BEHIND, COMMAND, 2, 4)
    assert device.bus_master.read(0, 4) == b"DATA"


@pytest.mark.parametrize("chassis", [0, 256])
def test_chassis_number_is_checked(board, chassis):
    with pytest.raises(ConfigError, match="chassis"):
        board.bridge(8, chassis)


def test_removing_a_bridge_removes_what_is_behind(board, bridge):
    device = bridge.secondary.devices[2 << 3]
    bridge.remove()
    assert not [r for r in board.pci_region.subregions if r.name.startswith("pci_bridge")]
    assert board.config_load(BRIDGE, 0, 4) == 0xFFFF_FFFF
    assert board.config_load(BEHIND, 0, 4) == 0xFFFF_FFFF
    assert device.bus_master not in board.memory.address_spaces
    board.bridge(8)


def test_messages_replace_the_interrupt_pin(board, bridge):
    board.bus.machine_done()
    board.config_store(BRIDGE, 0x10, 4, 0xE100_0000)
    board.config_store(BRIDGE, COMMAND, 2, 6)
    board.config_store(BRIDGE, 0x50, 4, 0x2000)
    board.config_store(BRIDGE, 0x58, 2, 0x41)
    board.config_store(BRIDGE, 0x4E, 2, 1)
    board.system.store(0xE100_0020, 4, 0)  # unmask
    board.system.store(0xE100_0014, 1, 0x40)  # a command that completes
    assert board.system.load(0x2000, 4) == 0x41
    assert not bridge.interrupt_level


def test_a_masked_message_is_sent_when_unmasked(board, bridge):
    board.bus.machine_done()
    board.config_store(BRIDGE, 0x10, 4, 0xE100_0000)
    board.config_store(BRIDGE, COMMAND, 2, 6)
    board.config_store(BRIDGE, 0x50, 4, 0x2000)
    board.config_store(BRIDGE, 0x58, 2, 0x41)
    board.config_store(BRIDGE, 0x5C, 4, 1)
    board.config_store(BRIDGE, 0x4E, 2, 1)
    board.system.store(0xE100_0020, 4, 0)
    board.system.store(0xE100_0014, 1, 0x40)
    assert board.system.load(0x2000, 4) == 0
    assert board.config_load(BRIDGE, 0x60, 4) == 1
    board.config_store(BRIDGE, 0x5C, 4, 0)
    assert board.system.load(0x2000, 4) == 0x41
    assert board.config_load(BRIDGE, 0x60, 4) == 0
