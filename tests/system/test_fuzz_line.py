"""Whatever the command line says, it is a machine or one refusal: never another exception."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from guestmap.base import GuestmapError
from guestmap.system.command_line import read_words
from guestmap.system.machine_line import described
from guestmap.system.option_table import OPTIONS, OptionFate

_NAMES = sorted(each.name for each in OPTIONS.values() if each.fate is not OptionFate.REFUSED)
_PIECES = st.sampled_from([
    "id=", "c", "socket", "pty", "fd=", "3", "path=", "/s", "server=on", "wait=off", ",", ",,", "=",
    "none", "pc", "microvm", "type=", "usb=", "accel=", "tcg", "kvm:", "qemu64", "1G", "size=",
    "slots=", "maxmem=", "node", "cpus=", "0-1", "memdev=", "mode=control", "chardev=", "{", "}",
    '{"driver":"isa-serial","chardev":"c"}', '{"qom-type":"secret","id":"s","data":"x"}', '{"a":',
    "isa-serial", "index=", "memory-backend-ram", "guest=", "off", "on", "-1", "\0", "é", "\udcff",
    "99999999999999999999", "help",
])  # fmt: skip
_VALUES = st.lists(_PIECES, max_size=6).map("".join)
_WORDS = st.lists(
    st.tuples(st.sampled_from(_NAMES), _VALUES).map(
        lambda pair: [f"-{pair[0]}", pair[1]] if OPTIONS[pair[0]].takes else [f"-{pair[0]}"]
    ),
    max_size=6,
).map(lambda found: ["-nodefaults", *(word for words in found for word in words)])


@settings(max_examples=400)
@given(_WORDS)
def test_a_machine_or_a_refusal(words: list[str]) -> None:
    with suppress(GuestmapError):
        described(read_words(words))
