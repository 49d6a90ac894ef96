import pytest

from tests.support.chipset import HOST, Chipset

PAM_0, SMRAM = 0x59, 0x72


@pytest.fixture
def board() -> Chipset:
    board = Chipset()
    rom = board.memory.rom("roms", 0x40000)
    rom.buffer[:] = bytes([0xB1]) * 0x40000
    board.pci_region.add_subregion(0xC0000, rom)
    board.pci_region.add_subregion(0xA0000, board.memory.io("vga", 0x20000, None))
    return board


# Segments of the attribute map: 82441FX data sheet, "PAM Registers"; start, register, shift.
SEGMENTS = [(0xF0000, 0x59, 4)] + [
    (0xC0000 + 0x4000 * n, 0x5A + n // 2, 4 * (n % 2)) for n in range(12)
]


def shown(board: Chipset, address: int) -> tuple[str, bool]:
    found = board.system.find(address)
    return (found.region.name, found.readonly) if found else ("", False)


@pytest.mark.parametrize(("start", "register", "shift"), SEGMENTS)
def test_each_segment_has_its_two_bits(board, start, register, shift):
    before = shown(board, start)
    for mode, expected in ((1, ("pc.ram", True)), (2, ("pc.ram", False)), (3, ("pc.ram", False))):
        board.config_store(HOST, register, 1, mode << shift)
        assert shown(board, start) == expected
        others = [other for other, _, _ in SEGMENTS if other != start]
        assert all(shown(board, other)[0] != "pc.ram" for other in others)
    board.config_store(HOST, register, 1, 0)
    assert shown(board, start) == before


def test_a_segment_shows_the_ram_of_its_own_address(board):
    board.ram.buffer[0xF1234] = 0x42
    assert board.system.load(0xF1234, 1) == 0xB1
    board.config_store(HOST, PAM_0, 1, 0x30)
    assert board.system.load(0xF1234, 1) == 0x42


def test_one_write_may_change_many_segments_in_one_commit(board):
    before = board.memory.generation
    board.config_store(HOST, 0x5C, 4, 0x3333_3333)
    assert board.memory.generation == before + 1
    assert shown(board, 0xD0000) == shown(board, 0xEC000) == ("pc.ram", False)
    assert shown(board, 0xF0000) == ("roms", True)


def test_only_what_changes_is_named_and_committed(board):
    board.config_store(HOST, PAM_0, 1, 0x30)
    assert board.causes()[-1] == "PAM 59h <- 30h: F0000-FFFFF ROM -> RAM"
    before = board.memory.generation
    board.config_store(HOST, PAM_0, 1, 0x30)
    board.config_store(HOST, PAM_0, 1, 0x3C)  # reserved bits
    assert board.memory.generation == before
    board.config_store(HOST, 0x5A, 2, 0x0013)
    assert board.causes()[-1] == (
        "PAM 5Ah <- 13h 00h: C0000-C3FFF ROM -> RAM; C4000-C7FFF ROM -> read-only RAM"
    )


def test_smram_opens_the_ram_below_the_vga_window(board):
    board.ram.buffer[0xA0000] = 0x42
    assert board.config_load(HOST, SMRAM, 1) == 0x02
    assert board.system.load(0xA0000, 1) == 0
    board.config_store(HOST, SMRAM, 1, 0x4A)
    assert board.system.load(0xA0000, 1) == 0x42
    assert board.causes()[-1] == "SMRAM 72h <- 4Ah: A0000-BFFFF RAM, SMRAM on"
    board.config_store(HOST, SMRAM, 1, 0x0A)
    assert board.system.load(0xA0000, 1) == 0


def test_the_smm_view_shows_smram_while_it_is_enabled(board):
    board.ram.buffer[0xA0000] = 0x42
    assert board.smram.load(0xA0000, 1) == 0
    board.config_store(HOST, SMRAM, 1, 0x0A)
    assert board.smram.load(0xA0000, 1) == 0x42


def test_lock_bit_is_not_modelled(board):
    board.config_store(HOST, SMRAM, 1, 0x12)
    board.config_store(HOST, SMRAM, 1, 0x52)
    assert board.config_load(HOST, SMRAM, 1) == 0x52


def test_reset_leaves_the_attribute_map_alone(board):
    # As in QEMU 7.2; its firmware makes the shadow RAM writable again and copies itself back.
    board.config_store(HOST, PAM_0, 1, 0x30)
    board.reset()
    assert shown(board, 0xF0000) == ("pc.ram", False)


@pytest.mark.parametrize(("mib", "value"), [(1, 0), (8, 1), (128, 16), (2040, 255), (4096, 255)])
def test_ram_size_register_counts_8_mib(mib, value):
    board = Chipset(ram=mib << 20)
    assert board.config_load(HOST, 0x57, 1) == value
