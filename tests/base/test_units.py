from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guestmap.base import (
    GIB,
    KIB,
    MIB,
    TIB,
    ConfigError,
    exact_size,
    format_size,
    parse_duration,
    parse_memory_size,
    parse_size,
)

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


PRINTED = [
    ("512 MiB", 512 * MIB),
    ("512MiB", 512 * MIB),
    ("512MB", 512 * MIB),
    ("1.5 GiB", 3 * GIB // 2),
    ("2 TB", 2 * TIB),
    ("4kib", 4 * KIB),
    ("64 K", 64 * KIB),
    ("100 B", 100),
    ("0x1b", 0x1B),
]


@pytest.mark.parametrize(("text", "size"), PRINTED + SIZES)
def test_sizes_as_tables_print_them(text: str, size: int) -> None:
    assert parse_memory_size(text) == size


def test_a_printed_size_without_a_unit_counts_in_the_default_unit() -> None:
    assert parse_memory_size("512", default_unit=MIB) == 512 * MIB
    assert parse_memory_size("512 KiB", default_unit=MIB) == 512 * KIB


@pytest.mark.parametrize(
    "text", ["0x1 b", "0x1 E", "1  MiB", "MiB", "1 MiBB", "1iB", "1 MM", "-1 MiB"]
)
def test_what_is_not_a_printed_size_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="is not a size"):
        parse_memory_size(text)


@given(st.integers(0, (1 << 64) - 1))
def test_an_exact_size_is_read_back(size: int) -> None:
    assert parse_memory_size(exact_size(size)) == size


def test_an_exact_size_is_never_rounded() -> None:
    sizes = [0, 4097, 3 * GIB // 2, 128 * MIB, TIB]
    assert [exact_size(size) for size in sizes] == [
        "0 B", "4097 B", "1536 MiB", "128 MiB", "1 TiB",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("61ms", 61_000_000),
        ("1.5s", 1_500_000_000),
        ("0.25 us", 250),
        ("40ns", 40),
        ("0s", 0),
        (" 2 s ", 2_000_000_000),
    ],
)
def test_a_time_is_read(text: str, ns: int) -> None:
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    "text", ["", "61", "ms", "-1ms", "1.5", "1e3s", "1m", "0.5ns", "1.ms", "9" * 13 + "s", "1ms 2"]
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="the delay"):
        parse_duration(text, what="the delay")
