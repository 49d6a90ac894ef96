"""Machines that show text on a screen, ours and QEMU's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from guestmap.hw.ps2.keys import KEYS
from guestmap.machine import MachineConfig, VirtualMachine
from tests.support.qemu import Qemu

_COLUMNS, _ROWS, _TEXT_AT = 80, 25, 0xB8000
_HOLD_NS, _POLL_S, _LONGEST_S = 100_000_000, 0.2, 120


@dataclass(frozen=True)
class TextShown:
    """A text screen: its lines, and the colours of each of its characters."""

    lines: list[str]
    attributes: bytes

    @classmethod
    def of(cls, cells: bytes) -> TextShown:
        """Return what a screen of 80 columns shows; nothing where it has no cells."""
        text = cells[::2].decode("cp437")
        lines = [text[at : at + _COLUMNS] for at in range(0, len(text), _COLUMNS)]
        return cls(lines, cells[1::2])


class TextMachine(NamedTuple):
    """A machine that runs: what its screen shows, and how to press Enter."""

    look: Callable[[], TextShown]
    press_enter: Callable[[], object]

    def until(self, words: str) -> TextShown:
        """Wait until words are on the screen, and return it."""
        end = time.monotonic() + _LONGEST_S
        shown = self.look()
        while not any(words in line for line in shown.lines):
            assert time.monotonic() < end, "\n".join(shown.lines)
            time.sleep(_POLL_S)
            shown = self.look()
        return shown


@contextmanager
def our_text(config: MachineConfig) -> Iterator[TextMachine]:
    """Run a machine of ours."""
    with VirtualMachine(config) as vm:

        def look() -> TextShown:
            with vm.exclusive():
                text = vm.board.text()
            return TextShown.of(b"" if text is None else text.cells)

        def press_enter() -> None:
            assert vm.board.input is not None
            with vm.exclusive():
                vm.board.input.type([KEYS["ret"]], _HOLD_NS)

        vm.start()
        yield TextMachine(look, press_enter)


@contextmanager
def qemus_text(folder: Path, *words: str) -> Iterator[TextMachine]:
    """Run one of QEMU's; the folder is for what it writes."""
    file = folder / "cells"
    with Qemu(*words, stopped=False) as qemu:

        def look() -> TextShown:
            qemu.qmp("pmemsave", val=_TEXT_AT, size=2 * _COLUMNS * _ROWS, filename=str(file))
            return TextShown.of(file.read_bytes())

        key = {"type": "qcode", "data": "ret"}
        yield TextMachine(look, lambda: qemu.qmp("send-key", keys=[key]))
