"""Option strings, and the numbers in them, at both ends of what each takes.

What is expected is what QEMU 7.2's ``QemuOpts`` and its visitor make of the same.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guestmap.base import ConfigError
from guestmap.machine.options.strings import (
    identifier,
    json_object,
    last_values,
    split_options,
    to_bool,
    to_memory_size,
    to_numbers,
    to_size,
    to_unsigned,
    to_wrapped,
)

TOP = 1 << 64


@pytest.mark.parametrize(("text", "first", "pairs"), [
    ("", "", []),
    ("", "f", []),
    ("a", "", [("a", "on")]),
    ("noa", "", [("a", "off")]),
    ("no", "", [("", "off")]),
    ("a", "f", [("f", "a")]),
    ("noa", "f", [("f", "noa")]),
    ("a,nob,c=1", "", [("a", "on"), ("b", "off"), ("c", "1")]),
    ("nob,noc,d", "", [("b", "off"), ("c", "off"), ("d", "on")]),
    ("a,b", "f", [("f", "a"), ("b", "on")]),
    ("f=a,nob", "f", [("f", "a"), ("b", "off")]),
    ("a=", "", [("a", "")]),
    ("a=,b", "", [("a", ""), ("b", "on")]),
    ("a=1,", "", [("a", "1")]),
    ("a=b=c", "", [("a", "b=c")]),
    ("a=1,,2,b=3", "", [("a", "1,2"), ("b", "3")]),
    ("a=1,,,b", "", [("a", "1,"), ("b", "on")]),
    ("x,,y,b", "f", [("f", "x,y"), ("b", "on")]),
    ("a=1,a=2", "", [("a", "1"), ("a", "2")]),
])  # fmt: skip
def test_keys_and_values(text: str, first: str, pairs: list[tuple[str, str]]) -> None:
    assert split_options(text, first) == pairs


def test_the_last_value_of_a_key_counts() -> None:
    pairs = [("a", "1"), ("b", "2"), ("a", "3")]
    assert last_values(pairs) == last_values(pairs, ["a", "b"]) == {"a": "3", "b": "2"}
    with pytest.raises(ConfigError, match=r"^Invalid parameter 'b'$"):
        last_values(pairs, ["a"])
    with pytest.raises(ConfigError, match=r"^Invalid parameter 'a'$"):
        last_values(pairs, [])


UNSIGNED = "^Parameter 'n' expects a uint64 value$"
RANGE = "^Parameter 'n' expects a uint64 value or range$"
NUMBER = "^Parameter 'n' expects a number$"
SIZE = "^Parameter 'n' expects a size value$"
Read = Callable[[str, str], object]


@pytest.mark.parametrize(("read", "text", "value"), [
    *((to_unsigned, *each) for each in (
        ("0", 0), ("00", 0), ("7", 7), ("+7", 7), (" 7", 7), ("010", 8), ("0x1F", 31), ("0X1f", 31),
        (str(TOP - 1), TOP - 1), ("0xffffffffffffffff", TOP - 1),
    )),
    *((to_size, *each) for each in (
        ("0", 0), ("1", 1), ("1K", 1 << 10), ("2M", 2 << 20), ("3G", 3 << 30), ("1.5k", 1536),
        ("5b", 5), ("1T", 1 << 40), ("1P", 1 << 50), ("15E", 15 << 60), (str(TOP - 1), TOP - 1),
    )),
    *((to_memory_size, *each) for each in (("0", 0), ("1M", 1 << 20), (str(TOP - 1), TOP - 1))),
    *((to_wrapped, *each) for each in (
        ("0", 0), ("-0", 0), ("1", 1), ("-1", TOP - 1), (" -2", TOP - 2), ("010", 8),
        (str(TOP - 1), TOP - 1), (f"-{TOP - 1}", 1),
    )),
    *((to_bool, word, True) for word in ("on", "yes", "true", "y")),
    *((to_bool, word, False) for word in ("off", "no", "false", "n")),
])  # fmt: skip
def test_values(read: Read, text: str, value: object) -> None:
    assert read("n", text) == value


@pytest.mark.parametrize(("read", "text", "refusal"), [
    *((to_unsigned, text, UNSIGNED) for text in ("", "-1", "1 ", "08", "x", "0x", "1.0", str(TOP))),
    *((to_size, text, SIZE) for text in ("", "x", "-1", "16E", str(TOP), "1Z")),
    (to_memory_size, "x", r"^Parameter 'n' expects a non-negative number below 2\^64$"),
    (to_memory_size, "16E", "^Value '16E' is out of range for parameter 'n'$"),
    *((to_wrapped, text, NUMBER) for text in ("", "-", "--1", "x", "1-", "09")),
    (to_wrapped, str(TOP), f"^Value '{TOP}' is too large for parameter 'n'$"),
    (to_wrapped, f"-{TOP}", f"^Value '-{TOP}' is too large for parameter 'n'$"),
    *((to_bool, text, "^Parameter 'n' expects 'on' or 'off'$") for text in ("", "1", "ON", "auto")),
])  # fmt: skip
def test_what_is_no_value(read: Read, text: str, refusal: str) -> None:
    with pytest.raises(ConfigError, match=refusal):
        read("n", text)


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_number_has_so_many_bits(bits: int) -> None:
    most = (1 << bits) - 1
    assert to_unsigned("n", str(most), bits) == most
    assert to_numbers("n", [str(most)], bits) == [most]
    with pytest.raises(ConfigError, match=f"^Parameter 'n' expects uint{bits}_t$"):
        to_unsigned("n", str(most + 1), bits)
    with pytest.raises(ConfigError, match=f"^Parameter 'null' expects uint{bits}_t$"):
        to_numbers("n", [str(most + 1)], bits)
    with pytest.raises(ConfigError, match=f"^Parameter 'null' expects uint{bits}_t$"):
        to_numbers("n", [f"{most}-{most + 1}"], bits)


def test_lists_of_numbers_and_of_ranges() -> None:
    assert to_numbers("n", []) == []
    assert to_numbers("n", ["1", "3-5", "7-7"]) == [1, 3, 4, 5, 7]
    assert to_numbers("n", ["0-65535"]) == [*range(65536)]
    assert to_numbers("n", ["1-65536"], 32) == [*range(1, 65537)]
    for text in ("", "-", "1-", "-1", "5-4", "x", "1-x", "0-65536", f"0-{TOP}", f"{TOP}"):
        with pytest.raises(ConfigError, match=RANGE):
            to_numbers("n", [text], 32)


def test_what_can_name_an_object() -> None:
    for name in ("a", "Z", "a1", "a.b-c_D9"):
        assert identifier(name) == name
    for name in ("", "1a", "-a", "_a", ".a", "a b", "a/b", "é", "aé", "a\n"):
        with pytest.raises(ConfigError, match=r"^Parameter 'id' expects an identifier$"):
            identifier(name)


def test_an_option_as_json_is_one_object() -> None:
    assert json_object('{"a": [1, {"b": "ü"}]}') == {"a": [1, {"b": "ü"}]}
    for text, refusal in (
        ("", "JSON parse error, premature EOI"),
        ('{"a": 1', "JSON parse error, premature EOI"),
        ("{} {}", "Expecting at most one JSON value"),
        ("{} {", "Expecting at most one JSON value"),
        ("[]", "a JSON object is wanted"),
    ):
        with pytest.raises(ConfigError, match=f"^{refusal}$"):
            json_object(text)
