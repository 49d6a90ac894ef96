"""memtest86+ on the screen: what it shows there is what it shows in QEMU, and a key starts it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from guestmap.base import MIB
from guestmap.hw.ps2.keys import KEYS
from guestmap.machine import MachineConfig, VirtualMachine
from tests.support.linux_guest import PARTS
from tests.support.qemu import Qemu

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

_MEASURED = r"[\d.]+ ?[MGK]?(Hz|B/s)"
"""How fast something is, which is left out where it cannot be measured."""
_COLUMNS, _ROWS, _TEXT_AT = 80, 25, 0xB8000
_HOLD_NS, _POLL_S, _LONGEST_S = 100_000_000, 0.2, 120


@dataclass(frozen=True)
class Shown:
    """A text screen: its lines, and the colours of each of its characters."""

    lines: list[str]
    attributes: bytes

    @property
    def words(self) -> list[list[str]]:
        """The words in each line, but for what is measured."""
        return [re.sub(_MEASURED, "", line).split() for line in self.lines]


def _screen(cells: bytes) -> Shown:
    text = cells[::2].decode("cp437")
    return Shown([text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)], cells[1::2])


class Machine(NamedTuple):
    """A machine that runs: what its screen shows, and how to press Enter."""

    look: Callable[[], Shown]
    press_enter: Callable[[], object]

    def until(self, words: str) -> Shown:
        """Wait until words are on the screen, and return it."""
        end = time.monotonic() + _LONGEST_S
        shown = self.look()
        while not any(words in line for line in shown.lines):
            assert time.monotonic() < end, "\n".join(shown.lines)
            time.sleep(_POLL_S)
            shown = self.look()
        return shown


@contextmanager
def _ours(image: Path) -> Iterator[Machine]:
    config = MachineConfig(ram_size=64 * MIB, vga="std", kernel=image)

    with VirtualMachine(config) as vm:

        def look() -> Shown:
            with vm.exclusive():
                text = vm.board.text()
            return _screen(b"" if text is None else text.cells)

        def press_enter() -> None:
            assert vm.board.input is not None
            with vm.exclusive():
                vm.board.input.type([KEYS["ret"]], _HOLD_NS)

        vm.start()
        yield Machine(look, press_enter)


@contextmanager
def _qemus(image: Path, folder: Path) -> Iterator[Machine]:
    file = folder / "cells"
    cpu = "qemu64,l3-cache=off"  # as the engine's is
    words = ("-m", "64M", "-cpu", cpu, "-vga", "std", "-kernel", str(image))

    with Qemu(*words, stopped=False) as qemu:

        def look() -> Shown:
            qemu.qmp("pmemsave", val=_TEXT_AT, size=2 * _COLUMNS * _ROWS, filename=str(file))
            return _screen(file.read_bytes())

        yield Machine(look, lambda: qemu.qmp("send-key", keys=[{"type": "qcode", "data": "ret"}]))


def test_it_shows_what_it_shows_in_qemu(tmp_path: Path) -> None:
    image = PARTS / "boot" / "memtest86+x64.bin"
    if not image.is_file():
        pytest.skip("no memtest86+: tools/linux_guest.sh unpacks it")
    with _ours(image) as ours:
        found = ours.until("Press <F1> to configure")
        ours.press_enter()
        tests = ours.until("Errors: 0")
    with _qemus(image, tmp_path) as theirs:
        expected = theirs.until("Press <F1> to configure")
    assert found.words == expected.words
    assert found.attributes == expected.attributes
    assert any("Memory  :" in line and "63MB" in line for line in found.lines)
    assert any("Status: Testing" in line for line in tests.lines)
