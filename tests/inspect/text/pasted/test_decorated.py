"""A decorated text is the map that it was, or is refused: never another map."""

from __future__ import annotations

from random import Random

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from guestmap.base import PeerError
from guestmap.inspect.text.mtree import MtreeText, read_mtree, write_flat, write_mtree
from guestmap.inspect.text.pasted import read_pasted
from tests.inspect.snapshots import pc
from tests.inspect.text.pasted import decorations

MODERN = (
    write_mtree(pc("pci").snapshot(), disabled=True)
    + 'FlatView #0\n AS "memory", root: system\n AS "cpu-memory-0", root: system\n'
    " Root memory region: system\n"
    "  0000000000000000-00000000000bffff (prio 0, ram): pc.ram KVM\n"
    "  00000000000c0000-00000000000c3fff (prio 0, rom): pc.ram @00000000000c0000 KVM\n"
    "  00000000fe000000-00000000fe003fff (prio 0, ramd): 0000:05:00.0 BAR 2 mmaps[0] KVM\n"
    "  00000000fe004000-00000000fe004fff (prio 1, i/o): virtio-pci-notify-virtio-scsi\n\n"
)
OWNED = (
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, container): system"
    " parent:{obj path=/machine/unattached}\n"
    "    0000000000000000-0000000007ffffff (prio 0, ram): alias ram-below-4g @pc.ram"
    " 0000000000000000-0000000007ffffff parent:{obj path=/machine/unattached}\n"
    "    00000000fec00000-00000000fec00fff (prio 0, i/o): ioapic owner:{dev id=my-ioapic}\n"
    "      00000000fec00010-00000000fec0001f (prio 2, i/o): window one"
    " [disabled] owner:{dev path=/machine/unattached/device[7]}\n\n"
    "memory-region: pc.ram\n"
    "  0000000000000000-0000000007ffffff (prio 0, ram): pc.ram owner:{obj path=/objects/pc.ram}\n\n"
)
OLD = (
    "address-space: memory\n"
    "  0000000000000000-ffffffffffffffff (prio 0, RW): system\n"
    "    0000000000000000-0000000007ffffff (prio 0, RW): alias ram-below-4g @pc.ram"
    " 0000000000000000-0000000007ffffff\n"
    "    00000000fffc0000-00000000ffffffff (prio 0, R-): pc.bios\n\n"
    "memory-region: pc.ram\n  0000000000000000-0000000007ffffff (prio 0, RW): pc.ram\n\n"
)
TEXTS = [MODERN, OWNED, OLD]


def content(text: MtreeText) -> object:
    """Return what a text says, the numbers of its lines left out."""
    trees = [
        (block.kind, block.names, [msgspec.structs.replace(line, number=0) for line in block.lines])
        for block in text.trees
    ]
    return trees, text.views


@pytest.mark.parametrize("text", TEXTS)
def test_clean_text_is_taken_as_it_is(text):
    assert read_pasted(text) == (read_mtree(text), ())


@pytest.mark.parametrize("decorate", decorations.NEVER_REFUSED)
@pytest.mark.parametrize("text", TEXTS)
def test_one_decoration_is_taken_off(text, decorate):
    for seed in range(4):
        read = read_pasted(decorate(text, Random(seed)))
        assert content(read.text) == content(read_mtree(text)), seed


@example(MODERN, [decorations.broken_by_terminal, decorations.quoted], 21)  # ">" and a blank
@example(OLD, [decorations.indented, decorations.indented, decorations.broken_by_terminal], 21)
@example(OLD, [decorations.quoted, decorations.broken_by_mail, decorations.numbered], 79)
# Always the same stories: a search without end finds some that no program tells (colours that a
# terminal counts as columns), and of those not each is refused.
@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.sampled_from(TEXTS),
    st.lists(st.sampled_from(decorations.NEVER_REFUSED + decorations.BREAKING), max_size=3),
    st.integers(0, 1000),
)
def test_decorations_on_each_other_give_the_same_map_or_none(text, decorate, seed):
    decorated = text
    for each in decorate:
        decorated = each(decorated, Random(seed))
    try:
        read = read_pasted(decorated)
    except PeerError:
        return
    assert content(read.text) == content(read_mtree(text))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("decorate", decorations.BREAKING)
def test_wrapped_in_any_column_it_is_the_same_map_or_none(text, decorate):
    read = 0
    for width in range(40, 112):
        try:
            found = read_pasted(decorate(text, _Width(width)))
        except PeerError:
            continue
        read += 1
        assert content(found.text) == content(read_mtree(text)), width
    assert read > 36, "more than half of the widths are understood"


class _Width(Random):
    """Chooses the same width every time."""

    def __init__(self, width: int) -> None:
        super().__init__(0)
        self.width = width

    def randint(self, a: int, b: int) -> int:
        return self.width


@given(st.text(alphabet="0123456789abcdef-() \nprio,ramAS\"':>{}\\@.[]x", max_size=300))
def test_any_text_is_read_or_refused(text):
    try:
        read_pasted(text)
    except PeerError as error:
        assert str(error)  # noqa: PT017


def test_a_view_alone_is_written_as_it_was():
    text = write_flat(pc("pci").snapshot())
    if "FlatView" in text:
        assert read_pasted("> " + text.replace("\n", "\n> ")).text == read_mtree(text)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("ram\x1b]0;OWNED\x07\x1b[2J\x1b[31mred", "ram\x1b]0;OWNED\x07\x1b[2J\x1b[31mred"),
        ("a\x1b[Hb", "a\x1b[Hb"),
        ("\x1b[0;32mpc.ram\x1b[0m", "pc.ram"),
        ("pc.\x1b[01;31m\x1b[Kram\x1b[m\x1b[K", "pc.ram"),
        ("pc.ram\x1b[K", "pc.ram"),
    ],
)
def test_of_escape_sequences_only_those_around_words_are_a_terminals(line, name):
    text = (
        "address-space: memory\n  0000000000000000-ffffffffffffffff (prio 0, i/o): system\n"
        f"    0000000000000000-0000000000000fff (prio 0, ram): {line}\n"
    )
    assert read_pasted(text).text.trees[0].lines[1].name == name
