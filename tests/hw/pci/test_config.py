from hypothesis import given
from hypothesis import strategies as st

from guestmap.hw.pci import ConfigSpace


def test_write_mask_decides_which_bits_take_the_value():
    config = ConfigSpace()
    config.set(0x10, 0x0000_0008, 4)
    config.allow_write(0x10, 0xFFFF_F000, 4)
    config.write(0x10, 0xFFFF_FFFF, 4)
    assert config.read(0x10, 4) == 0xFFFF_F008


def test_a_written_one_clears_and_a_written_zero_keeps():
    config = ConfigSpace()
    config.set(0x06, 0xF910, 2)
    config.allow_clear(0x06, 0xF900, 2)
    config.write(0x06, 0x8000, 2)
    assert config.read(0x06, 2) == 0x7910
    config.write(0x06, 0xFFFF, 2)
    assert config.read(0x06, 2) == 0x0010


def test_accesses_beyond_the_end_are_cut_off():
    config = ConfigSpace()
    config.allow_write(0xFC, 0xFFFF_FFFF, 4)
    config.write(0xFE, 0x1122_3344, 4)
    assert config.read(0xFE, 4) == 0x3344
    config.write(0x100, 0xFF, 1)
    assert config.read(0x100, 4) == 0
    assert len(config.data) == 256


def test_guest_bits_are_cleared_and_the_others_stay():
    config = ConfigSpace()
    config.set(0x04, 0x8107, 2)
    config.allow_write(0x04, 0x0107, 2)
    config.clear_guest_bits(0x04, 2)
    assert config.read(0x04, 2) == 0x8000


@given(
    offset=st.integers(0, 255),
    size=st.sampled_from([1, 2, 4]),
    value=st.integers(0, 2**32 - 1),
    masks=st.binary(min_size=256, max_size=256),
    old=st.binary(min_size=256, max_size=256),
)
def test_a_wide_write_equals_its_bytes(offset, size, value, masks, old):
    wide, narrow = ConfigSpace(), ConfigSpace()
    for config in (wide, narrow):
        config.data[:] = old
        config.write_mask[:] = masks
        config.clear_mask[:] = bytes(~mask & 0x5A for mask in masks)
    wide.write(offset, value, size)
    for index in range(size):
        narrow.write(offset + index, value >> (8 * index) & 0xFF, 1)
    assert wide.data == narrow.data
