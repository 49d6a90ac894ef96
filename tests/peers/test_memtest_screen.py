"""memtest86+ on the screen: what it shows there is what it shows in QEMU, and a key starts it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig
from tests.support.linux_guest import PARTS
from tests.support.text_screen import TextShown, our_text, qemus_text

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

_MEASURED = r"[\d.]+ ?[MGK]?(Hz|B/s)"
"""How fast something is, which is left out where it cannot be measured."""
_WAITS = "<Enter> to start testing"
_CPU = "qemu64,l3-cache=off"
"""As the engine's is."""


def _words(shown: TextShown) -> list[list[str]]:
    return [re.sub(_MEASURED, "", line).split() for line in shown.lines]


def test_it_shows_what_it_shows_in_qemu(tmp_path: Path) -> None:
    image = PARTS / "boot" / "memtest86+x64.bin"
    if not image.is_file():
        pytest.skip("no memtest86+: tools/linux_guest.sh unpacks it")
    with our_text(MachineConfig(ram_size=64 * MIB, vga="std", kernel=image)) as ours:
        found = ours.until(_WAITS)
        ours.press_enter()
        ours.until("Status: Testing")
        tests = ours.until("Errors: 0")
    words = ("-m", "64M", "-cpu", _CPU, "-vga", "std", "-kernel", str(image))
    with qemus_text(tmp_path, *words) as theirs:
        expected = theirs.until(_WAITS)
    assert _words(found) == _words(expected)
    assert found.attributes == expected.attributes
    assert any("Memory  :" in line and "63MB" in line for line in found.lines)
    assert any("Status: Testing" in line for line in tests.lines)
