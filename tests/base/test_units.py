from __future__ import annotations

import pytest

from guestmap.base import GIB, KIB, MIB, TIB, ConfigError, format_size, parse_size

SIZES = [
    ("0", 0),
    ("4096", 4096),
    ("0x1000", 0x1000),
    ("0XfF", 0xFF),
    ("1b", 1),
    ("1K", KIB),
    ("128M", 128 * MIB),
    ("128m", 128 * MIB),
    ("1.5G", 3 * GIB // 2),
    ("0.5k", 512),
    ("1.0", 1),
    ("2T", 2 * TIB),
    ("1p", 1 << 50),
    ("15E", 15 << 60),
    (" 8 ", 8),
    ("0x10M", 16 * MIB),
    ("0.0001K", 0),
    ("0.0005K", 1),
    ("18446744073709551615", (1 << 64) - 1),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes_in_qemus_syntax(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_a_number_without_a_suffix_counts_in_the_default_unit() -> None:
    assert parse_size("128", default_unit=MIB) == 128 * MIB
    assert parse_size("1.5", default_unit=MIB) == 3 * MIB // 2
    assert parse_size("1k", default_unit=MIB) == KIB


BAD = ["", "M", "-1", "-1M", "1 M", "1MM", "1.5.5M", "1e3", "0x", "0xG", "12Q", ".5G", "1.", "١M",
       "nan", "1_000"]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_is_not_a_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a size: write a number"):
        parse_size(text)


@pytest.mark.parametrize("text", ["18446744073709551616", "16E", "0x10000000000000000"])
def test_more_than_64_bits_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"-m '.*' does not fit in 64 bits"):
        parse_size(text, what="-m")


@pytest.mark.parametrize("text", ["1.5", "0.1b"])
def test_a_fraction_of_a_byte_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not a whole number of bytes"):
        parse_size(text)


def test_sizes_are_written_in_the_largest_unit_that_fits() -> None:
    sizes = [0, 1023, KIB, 1536, 128 * MIB, 3 * GIB // 2, TIB, 1 << 50, 1 << 64]
    assert [format_size(size) for size in sizes] == [
        "0 B", "1023 B", "1 KiB", "1.5 KiB", "128 MiB", "1.5 GiB", "1 TiB", "1 PiB", "16 EiB",
    ]  # fmt: skip
