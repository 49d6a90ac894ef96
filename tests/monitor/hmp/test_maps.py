"""``info mtree``, ``info ramblock`` and ``info pci`` beside QEMU's."""

from __future__ import annotations

import re

import pytest

from tests.monitor.hmp.beside import Beside
from tests.support.mtree_text import blocks, blocks_any_space_order

TREES = ("", " -o", " -D", " -o -D", " -d", " -d -D")
FLAT_VIEWS = (" -f", " -f -o", " -f -D", " -f -o -D")
_BRIDGE_WINDOW = re.compile(r"^.* alias pci_bridge_(?:io|mem|pref_mem) .*\n", re.MULTILINE)
"""Closed windows have no bytes in QEMU; here they are disabled."""


def _without_windows(text: str) -> str:
    return _BRIDGE_WINDOW.sub("", text)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("flags", TREES)
def test_trees_are_qemus(plain: Beside, full: Beside, flags: str) -> None:
    for pair in (plain, full):
        answers = pair.ask(f"info mtree{flags}")
        ours, theirs = (blocks(_without_windows(text)) for text in answers)
        assert ours == theirs


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
@pytest.mark.parametrize("flags", FLAT_VIEWS)
def test_flat_views_are_qemus(plain: Beside, full: Beside, flags: str) -> None:
    for pair in (plain, full):
        answers = pair.ask(f"info mtree{flags}")
        assert blocks_any_space_order(answers.ours) == blocks_any_space_order(answers.qemu)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_dispatch_trees_are_qemus_but_for_the_section_used_last(plain: Beside) -> None:
    answers = plain.ask("info mtree -f -d")
    theirs = answers.qemu.replace(" [MRU]", "")
    assert blocks_any_space_order(answers.ours) == blocks_any_space_order(theirs)


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_ram_blocks_are_qemus_but_for_the_firmware_tables(plain: Beside) -> None:
    answers = plain.ask("info ramblock")
    theirs = [line for line in answers.qemu.splitlines() if not line.lstrip().startswith("/rom@")]
    assert answers.ours.splitlines() == theirs


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_pci_functions_are_qemus(plain: Beside, full: Beside) -> None:
    plain.check("info pci")
    full.check("info pci")


@pytest.mark.qemu
@pytest.mark.qemu_7_2("what its human monitor prints")
def test_the_firmware_is_told_of_as_qemu_does(plain: Beside) -> None:
    answers = plain.ask("info roms")
    ours, theirs = (
        [line.partition(" name=")[0] for line in text.splitlines() if line.startswith("addr=")]
        for text in answers
    )
    assert ours == theirs != []
