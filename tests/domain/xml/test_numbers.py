"""Numbers as libvirt's documents write them: at their limits, and beyond."""

import pytest

from guestmap.domain.rules.errors import DomainError
from guestmap.domain.rules.texts import LibvirtDialect
from guestmap.domain.xml.numbers import (
    kib_of,
    number_set,
    ranges_text,
    unit_bytes,
    unsigned,
    whole,
)
from guestmap.domain.xml.tree import Element, read_xml

V9 = LibvirtDialect.V9
MOST = 0xFFFF_FFFF_FFFF_FFFF


@pytest.mark.parametrize("letter", "kmgtpe")
def test_a_letter_is_a_power_of_1024_and_with_a_b_of_1000(letter):
    power = 1 + "kmgtpe".index(letter)
    for suffix in (letter, letter.upper(), f"{letter}iB", f"{letter.upper()}IB"):
        assert unit_bytes(suffix, V9) == 2 ** (10 * power)
    for suffix in (f"{letter}b", f"{letter.upper()}B"):
        assert unit_bytes(suffix, V9) == 10 ** (3 * power)


@pytest.mark.parametrize("suffix", ["", "b", "B", "byte", "Bytes"])
def test_a_byte_is_one(suffix):
    assert unit_bytes(suffix, V9) == 1


@pytest.mark.parametrize("suffix", ["z", "kk", "kibi", "bib", "i", "ib", "bytess"])
def test_a_unit_that_is_none_is_named(suffix):
    with pytest.raises(DomainError, match=f"unknown suffix '{suffix}'") as refused:
        unit_bytes(suffix, V9)
    assert refused.value.remedy == "write KiB, MiB or GiB"


@pytest.mark.parametrize(
    ("text", "unit", "kib"),
    [("0", "b", 0), ("1023", "b", 1), ("1024", "b", 1), ("1025", "b", 2), ("7", None, 7),
     (f"{MOST}", "b", 1 << 54), ("15", "EiB", 15 << 50), ("18", "EB", 17578125000000000),
     ("18014398509481983", "KiB", (1 << 54) - 1)],
)  # fmt: skip
def test_a_size_is_rounded_up_to_kib(text, unit, kib):
    assert kib_of(text, unit, "size", V9) == kib


@pytest.mark.parametrize(
    ("text", "unit", "code"),
    [(f"{MOST + 1}", "b", 27), ("1" * 21, "b", 27), ("", "b", 27), ("+1", "b", 27),
     ("1.5", "b", 27),
     ("16", "EiB", 82), ("19", "EB", 82), ("18014398509481984", "KiB", 82),
     ("18014398509481984", None, 82)],
)  # fmt: skip
def test_a_size_that_is_none_or_too_large_is_named(text, unit, code):
    with pytest.raises(DomainError) as refused:
        kib_of(text, unit, "size", V9)
    assert refused.value.code == code
    assert text in refused.value.text


def tag(value: str) -> Element:
    return read_xml(f"<a\n n='{value}'/>".encode(), "device_definition")


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [("0", 10, 0), ("17", 10, 17), (f"{MOST}", 10, MOST), ("0x10", 16, 16), ("10", 16, 16),
     ("0x1f", 0, 31), ("9", 0, 9), (hex(MOST), 16, MOST)],
)  # fmt: skip
def test_an_attribute_is_a_number_of_its_base(text, base, value):
    assert unsigned(tag(text), "n", V9, base=base) == value


@pytest.mark.parametrize("text", ["-1", "", "x", "1_0", f"{MOST + 1}", "0x10", "٣"])
def test_an_attribute_that_is_no_number_is_named_with_its_place(text):
    with pytest.raises(DomainError) as refused:
        unsigned(tag(text), "n", V9)
    assert f"attribute 'n' in element 'a': '{text}'" in refused.value.text
    assert (refused.value.element, refused.value.line) == ("a", 1)


def test_an_attribute_that_is_not_there_is_none():
    assert unsigned(tag("1"), "other", V9) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("0x0", 0), ("1", 1), ("0x1f", 31), ("65535", 65535), ("65536", 5), ("-1", 5),
     ("x", 5), ("", 5), (None, 5)],
)  # fmt: skip
def test_a_number_that_is_not_ours_to_judge_has_a_default(text, value):
    assert whole(text, 5) == value


def test_the_default_of_such_a_number_is_nothing_and_its_most_is_told():
    assert (whole(None), whole("65536")) == (0, 0)
    assert (whole("7", 3, 7), whole("8", 3, 7)) == (7, 3)


SETS = {
    "0": (0,), "0-3": (0, 1, 2, 3), "0-3,^2,8": (0, 1, 3, 8), "2-2": (2,), "1, 3": (1, 3),
    "3,1": (1, 3), "^1": (), "1,^1": (), "^1,1": (1,), "0-1,3-4": (0, 1, 3, 4), "9999": (9999,),
}  # fmt: skip


@pytest.mark.parametrize("text", SETS)
def test_a_set_names_its_numbers(text):
    assert number_set(text, V9) == SETS[text]


@pytest.mark.parametrize("text", ["", "3-1", "^1-2", "1,", "1-", "-1", "10000", "0-10000", "a"])
def test_a_set_that_is_none_is_named(text):
    with pytest.raises(DomainError, match=f"Failed to parse bitmap '{text.replace('^', '.')}'"):
        number_set(text, V9)


PRINTED = {
    (): "", (0,): "0", (0, 1): "0-1", (1, 2, 3): "1-3", (0, 2): "0,2", (0, 2, 3, 5): "0,2-3,5",
    (4, 6, 7): "4,6-7", (0, 1, 2, 8): "0-2,8",
}  # fmt: skip


@pytest.mark.parametrize("numbers", PRINTED)
def test_a_set_is_printed_in_ranges(numbers):
    assert ranges_text(numbers) == PRINTED[numbers]
