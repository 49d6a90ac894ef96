"""iPXE, the option ROM of the default network card, finds the card as it finds it in QEMU."""

from __future__ import annotations

from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.machine import MachineConfig
from tests.support.text_screen import TextShown, our_text, qemus_text

pytestmark = [
    pytest.mark.peers, pytest.mark.unicorn, pytest.mark.seabios, pytest.mark.timeout(300)
]  # fmt: skip

_ASKS = "Configuring (net0 52:54:00:12:34:56)"
"""It has opened the card, and asks a network that is not there for an address, a dot each time."""


def _words(shown: TextShown) -> list[str]:
    return [line.rstrip(" .") for line in shown.lines]


@pytest.mark.parametrize("vga", ["std", "cirrus"])
def test_it_starts_and_opens_the_card(vga: str, tmp_path: Path) -> None:
    with our_text(MachineConfig(ram_size=64 * MIB, vga=vga, nic="e1000", smm=False)) as ours:
        found = ours.until(_ASKS)
    words = ("-m", "64M", "-vga", vga, "-device", "e1000,mac=52:54:00:12:34:56")
    with qemus_text(tmp_path, *words) as theirs:
        expected = theirs.until(_ASKS)
    assert _words(found) == _words(expected)
    assert found.attributes == expected.attributes
    assert any("using 82540em on 0000:00:03.0 (open)" in line for line in found.lines)
