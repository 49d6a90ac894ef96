"""Real QEMUs: the golden set, the corpus, and an old listing."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from guestmap.conform import CaptureCase, Equal, check_capture, conform
from guestmap.inspect.text.mtree import read_mtree
from tests.inspect.text.rebuild.texts import from_texts, named, shows
from tests.support.corpus import SHARES, in_share, least
from tests.support.qemu import Qemu

if TYPE_CHECKING:
    from tests.support.corpus import Corpus


@pytest.mark.parametrize("flags", ["-o -D", "-D", "-o", ""])
def test_golden_machines_are_equal_both_ways(golden: Corpus, flags: str) -> None:
    """Whatever of the tree is printed, down to the plain text."""
    count = 0
    for name, data in golden.files(".json.gz"):
        if "/texts/" in name:
            texts = json.loads(gzip.decompress(data))["texts"]
            for flat in ("-f -o", "-f"):
                case = CaptureCase(f"x86/{name}", read_mtree(texts[flags]), read_mtree(texts[flat]))
                for result in check_capture(case):
                    count += 1
                    assert isinstance(result, Equal), str(result)
    assert count >= (7 + 3 + 2) * 2 * 2


# A q35 of QEMU 2.4 under KVM, cut down to what differs in kind.
QEMU_2 = """\
address-space: memory
  0000000000000000-ffffffffffffffff (prio 0, RW): system
    0000000000000000-000000007fffffff (prio 0, RW): alias ram-below-4g @pc.ram 0000000000000000-000000007fffffff
    0000000000000000-ffffffffffffffff (prio -1, RW): pci
      00000000000a0000-00000000000bffff (prio 1, RW): cirrus-lowmem-container
        00000000000a0000-00000000000a7fff (prio 1, RW): alias vga.bank0 @vga.vram 0000000000000000-0000000000007fff
        00000000000a0000-00000000000bffff (prio 0, RW): cirrus-low-memory
      00000000fc000000-00000000fc7fffff (prio 1, RW): vga.vram
      00000000fffc0000-00000000ffffffff (prio 0, R-): pc.bios
    00000000000a0000-00000000000bffff (prio 1, RW): alias smram-region @pci 00000000000a0000-00000000000bffff
    00000000000c0000-00000000000c3fff (prio 1, RW): alias pam-ram @pc.ram 00000000000c0000-00000000000c3fff [disabled]
    00000000000c0000-00000000000c3fff (prio 1, R-): alias pam-rom @pc.ram 00000000000c0000-00000000000c3fff
    00000000fec00000-00000000fec00fff (prio 0, RW): kvm-ioapic

address-space: I/O
  0000000000000000-000000000000ffff (prio 0, RW): io
    0000000000000070-0000000000000071 (prio 0, RW): rtc

address-space: nic
  0000000000000000-ffffffffffffffff (prio 0, RW): alias bus master @system 0000000000000000-ffffffffffffffff [disabled]

memory-region: pc.ram
  0000000000000000-000000007fffffff (prio 0, RW): pc.ram

memory-region: vga.vram
  00000000fc000000-00000000fc7fffff (prio 1, RW): vga.vram

memory-region: pci
  0000000000000000-ffffffffffffffff (prio -1, RW): pci
    00000000000a0000-00000000000bffff (prio 1, RW): cirrus-lowmem-container
      00000000000a0000-00000000000a7fff (prio 1, RW): alias vga.bank0 @vga.vram 0000000000000000-0000000000007fff
      00000000000a0000-00000000000bffff (prio 0, RW): cirrus-low-memory
    00000000fc000000-00000000fc7fffff (prio 1, RW): vga.vram
    00000000fffc0000-00000000ffffffff (prio 0, R-): pc.bios

memory-region: system
  0000000000000000-ffffffffffffffff (prio 0, RW): system
    0000000000000000-000000007fffffff (prio 0, RW): alias ram-below-4g @pc.ram 0000000000000000-000000007fffffff
    0000000000000000-ffffffffffffffff (prio -1, RW): pci
      00000000000a0000-00000000000bffff (prio 1, RW): cirrus-lowmem-container
        00000000000a0000-00000000000a7fff (prio 1, RW): alias vga.bank0 @vga.vram 0000000000000000-0000000000007fff
        00000000000a0000-00000000000bffff (prio 0, RW): cirrus-low-memory
      00000000fc000000-00000000fc7fffff (prio 1, RW): vga.vram
      00000000fffc0000-00000000ffffffff (prio 0, R-): pc.bios
    00000000000a0000-00000000000bffff (prio 1, RW): alias smram-region @pci 00000000000a0000-00000000000bffff
    00000000000c0000-00000000000c3fff (prio 1, RW): alias pam-ram @pc.ram 00000000000c0000-00000000000c3fff [disabled]
    00000000000c0000-00000000000c3fff (prio 1, R-): alias pam-rom @pc.ram 00000000000c0000-00000000000c3fff
    00000000fec00000-00000000fec00fff (prio 0, RW): kvm-ioapic
"""  # noqa: E501


def test_the_old_form_says_rw_for_memory_and_devices() -> None:
    snapshot = from_texts(QEMU_2)
    assert shows(snapshot, 0) == [
        (0, "pc.ram"), (0xA0000, "vga.vram"), (0xA8000, "cirrus-low-memory"), (0xC0000, "pc.ram"),
        (0xC4000, "pc.ram"), (0xFC000000, "vga.vram"), (0xFEC00000, "kvm-ioapic"),
        (0xFFFC0000, "pc.bios"),
    ]  # fmt: skip
    assert shows(snapshot, 1) == [(0, "io"), (0x70, "rtc"), (0x72, "io")]
    assert shows(snapshot, 2) == []
    types = {name: named(snapshot, name).type for name in ("pc.ram", "vga.vram", "kvm-ioapic")}
    assert types == {"pc.ram": "ram", "vga.vram": "ram", "kvm-ioapic": "i/o"}
    assert named(snapshot, "vga.bank0").type == "ram"
    assert named(snapshot, "pam-rom").readonly
    assert "type" in named(snapshot, "vga.vram").inferred


@pytest.mark.qemu
def test_a_live_machine_full_of_devices() -> None:
    arguments: list[str] = []
    for device in (
        "pci-bridge,chassis_nr=1,id=b", "e1000,bus=b,addr=1", "megasas", "intel-hda", "virtio-vga",
        "ne2k_isa", f"isa-applesmc,osk={'x' * 64}", "sb16", "pvscsi",
    ):  # fmt: skip
        arguments += ["-device", device]
    with Qemu("-M", "pc", "-m", "256M", "-vga", "none", *arguments, machine=False) as qemu:
        tree, flat = qemu.hmp("info mtree -o -D"), qemu.hmp("info mtree -f -o")
    for result in check_capture(CaptureCase("x86", read_mtree(tree), read_mtree(flat))):
        assert isinstance(result, Equal), str(result)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_captures_of_the_corpus(corpus: Corpus, every: int) -> None:
    assert _hold_captures(corpus, every) >= least(458, every)


@pytest.mark.slow
@pytest.mark.corpus
@pytest.mark.parametrize("every", SHARES)
def test_captures_of_qemu_11_1(corpus_11_1: Corpus, every: int) -> None:
    assert _hold_captures(corpus_11_1, every) >= least(500, every)


def _hold_captures(corpus: Corpus, every: int) -> int:
    """All are equal with the flat view; of the text alone all x86, and nearly all others."""
    counts: Counter[str] = Counter()
    folders = {
        path.parent
        for name in ("x86", "machines", "hotplug")
        for path in (corpus.path / name).rglob("mtree*.txt")
    }
    inside = {folder: str(folder.relative_to(corpus.path)) for folder in sorted(folders)}
    for result in conform([each for each, name in inside.items() if in_share(name, every)]):
        how = getattr(result, "how", None)
        if how is None:
            continue
        counts[how] += 1
        if isinstance(result, Equal):
            counts[f"{how}, equal"] += 1
        else:
            assert getattr(result, "excused", False), str(result)
    assert counts["with flat view"] == counts["with flat view, equal"]
    assert counts["text alone, equal"] >= 0.97 * counts["text alone"]
    return counts["with flat view"]
