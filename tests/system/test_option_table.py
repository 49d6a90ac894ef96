"""The table of options, and the words that are held to it."""

import re

import pytest

from guestmap.base import ConfigError, UnsupportedError
from guestmap.system.command_line import read_words
from guestmap.system.option_table import OPTIONS, listing


def test_each_option_says_what_it_means_or_why_it_does_not():
    for each in OPTIONS.values():
        assert each.reason, each.name
        re.compile(each.values)


def test_the_listing_has_each_option_once():
    lines = listing().splitlines()
    assert [line.split()[0] for line in lines] != []
    assert sorted(line.split()[0] for line in lines) == sorted(f"-{each}" for each in OPTIONS)
    assert any("-hda" in line and "is refused: give -drive file=FILE" in line for line in lines)


def test_what_means_something_is_kept_in_order():
    given = read_words(["-S", "-device", "a", "--device", "b", "-M", "pc", "-machine", "none"])
    assert given == {"S": [""], "device": ["a", "b"], "machine": ["pc", "none"]}


@pytest.mark.parametrize(
    "words",
    [
        "-display none", "-msg timestamp=on", "-rtc base=utc", "-overcommit mem-lock=off",
        "-boot strict=on", "-no-user-config", "-nographic", "-sandbox off",
        '-audiodev {"id":"audio1","driver":"none"}',
    ],
)  # fmt: skip
def test_what_changes_nothing_is_accepted(words):
    assert read_words(words.split(" ", 1)) == {}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("-display gtk", "-display gtk: is not modelled (there is no screen)"),
        ("-rtc base=localtime", "-rtc base=localtime: is not modelled (the clock is UTC)"),
        ("-sandbox on", "-sandbox on: is not modelled (there is none to switch off)"),
        ("-hda x", "-hda: give -drive file=FILE"),
        ("-netdev user,id=n", "-netdev: network devices are not modelled"),
        ("disk.img", "disk.img: disk images are not modelled"),
        ("-watchdog-action reset", "-watchdog-action: watchdogs are not modelled"),
        (
            "-add-fd set=0,fd=9",
            "-add-fd: files are not inherited: give a port a terminal or a socket, and no log",
        ),
    ],
)
def test_what_is_not_here_is_refused_by_name(words, said):
    with pytest.raises(UnsupportedError) as refused:
        read_words(words.split())
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("words", "said"),
    [("-foo", "-foo: invalid option"), ("-m", "-m: requires an argument"),
     ("-display", "-display: requires an argument")],
)  # fmt: skip
def test_what_is_no_option_is_refused_as_qemu_does(words, said):
    with pytest.raises(ConfigError) as refused:
        read_words(words.split())
    assert str(refused.value) == said
