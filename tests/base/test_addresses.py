from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import ConfigError, parse_address, parse_address_range

ADDRESSES = [
    ("0xc9000", 0xC9000),
    ("0XC9000", 0xC9000),
    ("c9000", 0xC9000),
    ("C9000h", 0xC9000),
    ("100000h", 0x100000),
    ("0xc_9000", 0xC9000),
    ("c_9000", 0xC9000),
    ("1_0000_0000", 1 << 32),
    ("0000000000100000", 0x100000),
    ("1000000000000000", 1 << 60),
    ("00100000", 0x100000),
    ("0100", 0x100),
    ("0", 0),
    ("7", 7),
    ("b", 0xB),
    ("0x10", 0x10),
    (" 0x10 ", 0x10),
    ("ffffffffffffffff", (1 << 64) - 1),
    ("f000:fff0", 0xFFFF0),
    ("F000h:FFF0h", 0xFFFF0),
    ("0xc000:0x10", 0xC0010),
    ("1000:0", 0x10000),
    ("ffff:ffff", 0x10FFEF),
    ("640K", 640 << 10),
    ("3G", 3 << 30),
    ("3 GiB", 3 << 30),
    ("512MB", 512 << 20),
    ("1.5G", 3 << 29),
    ("0x10K", 0x4000),
]


@pytest.mark.parametrize(("text", "address"), ADDRESSES)
def test_addresses_as_people_write_them(text: str, address: int) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["100000", "10", "4096", "99", "100000000000000"])
def test_digits_that_could_be_decimal_are_refused_with_both_readings(text: str) -> None:
    both = rf"--addr '{text}' may be .*: write 0x{text} or {int(text):#x} \(decimal {text}\)"
    with pytest.raises(ConfigError, match=both):
        parse_address(text, what="--addr")


BAD = ["", "0x", "-1", "-0x10", "x", "0xg", "c9000-", "_c9000", "c9__000", "c9000_", "hello",
       "f000:", ":10", "12345:0", "0:12345", "f000:fff0:0", "1,000", "٣", "640Q",
       "$eip"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not an address|is not a size"):
        parse_address(text)


@pytest.mark.parametrize("text", ["0x10000000000000000", "10000000000000000", "16777216T"])
def test_addresses_of_more_than_64_bits_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="does not fit in 64 bits"):
        parse_address(text)


@given(st.integers(0, (1 << 64) - 1))
def test_what_a_table_prints_means_the_same_when_it_is_copied(address: int) -> None:
    assert parse_address(f"{address:016x}") == address
    assert parse_address(f"{address:#x}") == address
    assert parse_address(f"{address:X}h") == address


@given(st.text(alphabet="0123456789abcdefxXhHKMGT_:. -"))
def test_any_text_gives_an_address_or_a_refusal(text: str) -> None:
    try:
        assert 0 <= parse_address(text) < 1 << 64
    except ConfigError:
        return


RANGES = [
    ("c0000-e7fff", (0xC0000, 0xE7FFF)),
    ("10-20", (0x10, 0x20)),
    ("0000000000100000-00000000001fffff", (0x100000, 0x1FFFFF)),
    ("0xc0000 - 0xe7fff", (0xC0000, 0xE7FFF)),
    ("C0000h-E7FFFh", (0xC0000, 0xE7FFF)),
    ("0xc9000", (0xC9000, 0xC9000)),
]


@pytest.mark.parametrize(("text", "ends"), RANGES)
def test_ranges_as_tables_print_them(text: str, ends: tuple[int, int]) -> None:
    assert parse_address_range(text) == ends


@pytest.mark.parametrize("text", ["20-10", "10-", "-10", "1-2-3", "a-640K", "10", ""])
def test_what_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="range '"):
        parse_address_range(text)
