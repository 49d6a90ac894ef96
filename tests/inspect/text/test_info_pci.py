"""What ``info pci`` prints, in the forms of QEMU before and since 10.0; lines of my own making."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from guestmap.base import ConfigError, PeerError
from guestmap.cli.pci import pci
from guestmap.inspect.ask.pci import read_info_pci
from guestmap.inspect.sources.folder import pci_of_folder

if TYPE_CHECKING:
    from pathlib import Path

OLD = """\
  Bus  0, device   2, function 0:
    VGA controller: PCI device 1234:1111
      PCI subsystem 1af4:1100
      BAR0: 32 bit prefetchable memory at 0xfd000000 [0xfdffffff].
      BAR6: 32 bit memory at 0xffffffffffffffff [0x0000fffe].
      id ""
  Bus  0, device   3, function 0:
    PCI bridge: PCI device 1b36:0001
      IRQ 10, pin A
      BUS 0.
      secondary bus 1.
      subordinate bus 2.
      IO range [0x1000, 0x8fff]
      memory range [0xfe800000, 0xfe9fffff]
      prefetchable memory range [0xfff00000, 0x000fffff]
      id "b1"
  Bus  1, device   0, function 1:
    Class 0255: PCI device 1b36:0005
      BAR1: I/O at 0xffffffffffffffff [0x00fe].
      BAR4: 64 bit memory at 0x800000000 [0x800003fff].
      id "t"
"""
NEW = re.sub(r" at 0xf{16} \[0x[0-9a-f]+\]", " (not mapped)", OLD.replace("].", "]"))
VIEW = """\
FlatView #0
 AS "memory", root: system
 Root memory region: system
  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram
"""


@pytest.mark.parametrize(("text", "sizes"), [(OLD, (0x10000, 0x100)), (NEW, (0, 0))])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_functions_bars_and_windows(text: str, sizes: tuple[int, int], end: str) -> None:
    vga, bridge, card = read_info_pci(text.replace("\n", end), source="a test").functions
    assert (vga.address, vga.vendor, vga.product) == ("00:02.0", 0x1234, 0x1111)
    assert [(b.number, b.type, b.size, b.address, b.prefetch) for b in vga.bars] == [
        (0, "memory", 16 << 20, 0xFD000000, True),
        (6, "memory", sizes[0], None, False),
    ]
    assert bridge.bridge is not None
    assert (bridge.bridge.secondary, bridge.bridge.subordinate) == (1, 2)
    assert [(w.kind, w.is_open) for w in bridge.bridge.windows] == [
        ("io", True), ("memory", True), ("prefetchable", False)]  # fmt: skip
    assert (card.address, card.above, card.device and card.device.name) == ("01:00.1", 1, "t")
    assert [(b.type, b.size, b.address, b.mem_type_64) for b in card.bars] == [
        ("io", sizes[1], None, False), ("memory", 0x4000, 0x8_0000_0000, True)]  # fmt: skip


@pytest.mark.parametrize("text", ["what?", '      id "x"\n', OLD + "      BAR9: nothing\n"])
def test_what_is_no_such_text_is_refused_by_line(text: str) -> None:
    with pytest.raises(PeerError, match="info pci text, line"):
        read_info_pci(text, source="a test")


def test_a_folder_says_who_answers_behind_a_bar(tmp_path: Path, capsys) -> None:
    (tmp_path / "mtree-f.txt").write_text(VIEW)
    with pytest.raises(ConfigError, match=r"no info-pci\.txt"):
        pci_of_folder(tmp_path)
    (tmp_path / "info-pci.txt").write_text(OLD)
    pci(str(tmp_path))
    told = capsys.readouterr().out
    assert (
        "BAR 0: memory, prefetchable, 16 MiB: 0xfd000000-0xfdffffff vga.vram answers there" in told
    )
    assert "01:00.1 Class 0255 (t), 1b36:0005, behind 00:03.0" in told
