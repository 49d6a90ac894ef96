"""Who answers as an IOMMU is called one: what it does with an access, no map tells."""

from __future__ import annotations

import pytest

from guestmap.inspect.ask.explain import explain
from guestmap.inspect.ask.iommus import is_iommu
from guestmap.inspect.ask.ram_ranges import ram_ranges
from guestmap.inspect.ask.sentences import explain_sentences, ram_sentences
from guestmap.inspect.text.from_text import snapshot_of_pasted

ALL = 1 << 64
FULL = "0000000000000000-ffffffffffffffff"
WINDOW = (
    "00000000fee00000-00000000feefffff (prio 1, i/o): alias ir @ir"
    " 0000000000000000-00000000000fffff\n"
)
INTERRUPTS = "memory-region: ir\n  0000000000000000-00000000000fffff (prio 0, i/o): ir\n"

BELOW_A_ROOT = (
    "address-space: nic\n"
    f"  {FULL} (prio 0, i/o): vtd-02.0\n"
    f"    {FULL} (prio 0, i/o): vtd-02.0-dmar\n"
    f"      {WINDOW}\n"
    f"{INTERRUPTS}"
)
AS_A_ROOT = (  # QEMU 2.6 (hw/i386/intel_iommu.c); hw/pci-host/pnv_phb4.c to this day
    f"address-space: nic\n  {FULL} (prio 0, i/o): intel_iommu\n    {WINDOW}\n{INTERRUPTS}"
)
IN_A_VIEW = (
    'FlatView #0\n AS "nic", root: vtd-02.0\n Root memory region: vtd-02.0\n'
    "  0000000000000000-00000000fedfffff (prio 0, i/o): vtd-02.0-dmar\n"
    "  00000000fee00000-00000000feefffff (prio 0, i/o): ir\n"
    "  00000000fef00000-ffffffffffffffff (prio 0, i/o): vtd-02.0-dmar @00000000fef00000\n"
)


@pytest.mark.parametrize("text", [BELOW_A_ROOT, AS_A_ROOT, IN_A_VIEW])
@pytest.mark.parametrize(
    ("address", "translates"),
    [(0, True), (0xFEDF_FFFF, True), (0xFEE0_0000, False), (0xFEEF_FFFF, False),
     (0xFEF0_0000, True), (ALL - 1, True)],
)  # fmt: skip
def test_an_iommu_answers_around_the_window_of_interrupts(text, address, translates):
    told = explain(snapshot_of_pasted(text, source="mtree.txt"), address, "nic")
    assert told.winner.iommu == translates
    assert (told.winner.name == "ir") != translates
    says = "an IOMMU whose translation the map does not tell" in explain_sentences(told)[0]
    assert says == translates


@pytest.mark.parametrize("name", ["pci@800000020000000.iommu-root", "vtd container"])
def test_a_root_of_windows_is_none(name):
    text = AS_A_ROOT.replace("intel_iommu", name)
    assert explain(snapshot_of_pasted(text, source="mtree.txt"), 0, "nic").winner is None


@pytest.mark.parametrize(
    ("name", "kind", "end", "is_one"),
    [
        ("amd_iommu", "i/o", ALL, True),
        ("smmuv3-iommu-memory-region-8-1", "i/o", ALL, True),
        ("tce-iommu-80000000", "i/o", 1 << 30, True),
        ("tz-mpc-upstream", "i/o", 4 << 20, True),
        ("iommu.dma", "i/o", 4 << 30, True),
        ("intel_iommu", "i/o", 4096, False),  # its registers
        ("fwcfg.dma", "i/o", 8, False),
        ("gpex_mmio_window", "i/o", ALL, False),
        ("dma-buffers", "ram", ALL, False),
    ],
)
def test_iommus_are_told_by_name_and_size(name, kind, end, is_one):
    assert is_iommu(name, kind, end) == is_one


@pytest.mark.parametrize("text", [BELOW_A_ROOT, AS_A_ROOT, IN_A_VIEW])
def test_memory_behind_an_iommu_is_said_to_be_translated(text: str) -> None:
    told = ram_ranges(snapshot_of_pasted(text, source="a test"), "nic")
    assert [(each.start, each.end) for each in told.translated] == [
        (0, 0xFEE00000), (0xFEF00000, ALL)]  # fmt: skip
    lines = ram_sentences(told)
    assert len(lines) == 2
    assert all("translates" in line for line in lines)
