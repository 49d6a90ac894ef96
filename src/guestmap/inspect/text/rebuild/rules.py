"""What is known of QEMU's regions by name: the one table, with where each entry comes from.

``info mtree`` does not say whether a region answers accesses (QEMU made it with operations) or only
holds others (a pure container). Without better evidence a leaf answers and one with subregions does
not; this table has the exceptions. The source named is QEMU's; a rule without a version holds from
7.2 to 11.1 at least, and for older ones so far as is known.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guestmap.inspect.map.snapshot import RegionInfo
    from guestmap.inspect.text.mtree.dialects import Version

FIRST: Version = (0, 0)
LAST: Version = (1 << 16, 0)


@dataclass(frozen=True, slots=True)
class Rule:
    """One exception.

    Attributes:
        name: a regular expression that the whole name must match.
        answers: whether such a region answers accesses.
        evidence: where QEMU makes it, and what for.
        size: which size such a region has, where other regions bear the name too.
        since: the first version of QEMU that has such regions.
        until: the last one.
    """

    name: str
    answers: bool
    evidence: str
    size: int | None = None
    since: Version = FIRST
    until: Version = LAST

    def meets(self, region: RegionInfo) -> bool:
        """Tell whether the rule speaks of a region."""
        return self.size in (None, region.size) and bool(re.fullmatch(self.name, region.name))

    def holds_for(self, versions: tuple[Version, Version]) -> bool:
        """Tell whether the rule holds for one of the versions from the first to the last."""
        return self.since <= versions[1] and versions[0] <= self.until


ANSWERING: tuple[Rule, ...] = (
    Rule("io", True, "softmmu/physmem.c: all I/O ports; unassigned ones read as all ones"),
    Rule("rtc", True, "hw/rtc/mc146818rtc.c: the index port is a coalesced region within"),
    Rule("vga.mmio", True, "hw/display/vga-pci.c: holes between the register blocks"),
    Rule("bochs-display-mmio", True, "hw/display/bochs-display.c: as vga.mmio"),
    Rule(r".*_(mmio|ioport)_window", True, "hw/pci-host/gpex.c: what no BAR answers"),
    Rule("(unin-)?pci-isa-mmio", True, "hw/pci-host/uninorth.c, grackle.c: port space"),
    Rule("sabre-config", True, "hw/pci-host/sabre.c: bridge registers around the IOMMU's"),
    Rule("pci0-io", True, "hw/alpha/typhoon.c: port space", size=32 << 20),
    Rule("iocsr", True, "target/loongarch/cpu.c: a CPU's own register space"),
    Rule("xtfpga.io", True, "hw/xtensa/xtfpga.c: I/O space of the board"),
    Rule("via-pm", True, "hw/isa/vt82c686.c: registers around the ACPI ones"),
    Rule(
        r"aspeed\.(i2c|sdhci|smc\.flash)",
        True,
        "hw/{i2c,sd,ssi}/aspeed_*.c: registers around others",
    ),
    Rule("megasas-mmio", True, "hw/scsi/megasas.c: the MSI-X tables lie within"),
    Rule(
        r"(vtd-[0-9a-f.]+-|intel_iommu_)dmar",
        True,
        "hw/i386/intel_iommu.c: an IOMMU around the window of interrupts",
    ),
    Rule("ahci", True, "hw/ide/ahci-allwinner.c: registers around the SoC's own"),
    Rule(r"astro|elroy\d*", True, "hw/pci-host/astro.c: registers around the bridges' and PCI's"),
    Rule("dino", True, "hw/pci-host/dino.c: registers around PCI's configuration ports"),
    Rule("gt64120-isd", True, "hw/pci-host/gt64120.c: as dino"),
    Rule("articia", True, "hw/pci-host/articia.c: as dino", since=(9, 0)),
    Rule("cfam", True, "hw/fsi/cfam.c: what none of the engines answers", since=(9, 0)),
    Rule(r"pcie\.\d+\.mmio_window", True, "hw/pci-host/aspeed_pcie.c: as gpex", since=(10, 1)),
    Rule("xlnx.versal-canfd", True, "hw/net/can/xlnx-versal-canfd.c: RAM around registers",
         since=(8, 1)),
)  # fmt: skip
"""Regions with subregions that answer themselves where no subregion does."""

EMPTY: tuple[Rule, ...] = (
    Rule(r"tz-ppc-port\[.*\]", True, "hw/misc/tz-ppc.c: answers for what it guards, whose name"
         " it has", since=(9, 0)),
    Rule("tz-msc-downstream", True, "hw/misc/tz-msc.c: as tz-ppc"),
    Rule("system", False, "softmmu/physmem.c: root of all; empty before the board fills it"),
    Rule(".*container.*", False, "made by memory_region_init, and named for it"),
    Rule("pci_bridge_(pci|io)", False, "hw/pci/pci_bridge.c: what lies behind a bridge"),
    Rule(
        r"pci(e|\d)?(([-_.]|[-_. ]bus[-_. ])(mem|memory|mmio|io|pio|ioport))?",
        False,
        "hw/i386/pc*.c, hw/pci-host/*.c: a host bridge's spaces, which BARs fill",
    ),
    Rule(r"(gpex|bcm2838_pcie)_(mmio|ioport)", False, "hw/pci-host/gpex.c: as pci"),
    Rule("smram", False, "hw/pci-host/i440fx.c, q35.c: what SMRAM shows in SMM; text may hide it"),
    Rule("bcm2838-peripherals", False, "hw/arm/bcm2838_peripherals.c: as pci", since=(9, 0)),
    Rule("platform bus", False, "hw/core/platform-bus.c: devices given on the command line"),
    Rule("device-memory", False, "hw/i386/pc.c and others: DIMMs fill it"),
    Rule("(e1000e|igb)-flash", False, "hw/net/e1000e.c, igb.c: a BAR that nothing fills"),
    Rule("virtio-gpu-hostmem", False, "hw/display/virtio-gpu-base.c: blobs fill it", since=(6, 1)),
    Rule("virtio-mem", False, "hw/virtio/virtio-mem.c: memslots fill it", since=(8, 2)),
    Rule("cxl_host_reg", False, "hw/i386/pc.c, hw/arm/virt.c: CXL host bridges fill it"),
    Rule("pci-testdev-membar", False, "hw/misc/pci-testdev.c: a BAR that nothing fills"),
    Rule("tce-root-.*", False, "hw/ppc/spapr_iommu.c: a window that is not open"),
    Rule(r"isa-(mem|fw)", False, "hw/ppc/pnv_lpc.c: spaces of the ISA bus"),
    Rule(r"xive-vc-(ipi|end)", False, "hw/intc/pnv_xive.c: windows that firmware opens"),
)  # fmt: skip
"""Leaves that do not answer: containers that hold nothing yet. The first rule that meets counts."""


def _any_name(rules: Iterable[Rule]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{rule.name})" for rule in rules))


ANSWERING_NAMES, EMPTY_NAMES = _any_name(ANSWERING), _any_name(EMPTY)
"""What the names of all rules match: most regions are met by none, and asked about once."""

NEWER: tuple[tuple[str, str, str], ...] = (
    ("imx7.gpr", "imx25.gpt", "hw/arm/fsl-imx6ul.c: the registers are mapped after the timers"),
)
"""Pairs of overlapping regions of which the first is mapped later, though neither sign says so."""

UNIMPLEMENTED = -1000
"""Priority of what QEMU puts where a board has something it lacks (hw/misc/unimp.h): it answers."""

READONLY_ALIASES: tuple[tuple[str, str, Version], ...] = (
    ("pam-rom", "", FIRST),  # hw/pci-host/pam.c: the PC's shadow RAM in read-only mode
    ("isa-bios", "romd", (9, 1)),  # hw/i386/x86-common.c: the end of the firmware's flash
)
"""Aliases that refuse writes: the name, what type they show ("": any), and since when they do."""

IOMMU_NAMES = re.compile(r"iommu|smmu|dmar|iotlb|vtd|dma", re.IGNORECASE)
"""Regions that fill the 64-bit space and answer are IOMMUs (and none but those)."""

IOMMU_ROOTS = re.compile(r"root$|container$", re.IGNORECASE)
"""What holds a bus's IOMMUs or its windows (hw/ppc/spapr_pci.c, hw/pci-host/designware.c)."""

RAM_ALIASES = frozenset({"ram-below-4g", "ram-above-4g", "pam-ram", "pam-rom", "smram-low"})
"""Aliases of a PC's RAM (hw/i386/pc.c, hw/pci-host/pam.c): what they show is RAM."""

RAM_NAMES = re.compile(r"(.*[./-])?(v?ram|sram|dram|rom|bios)|ram-node\d+|mem\d*")
"""Leaves that are memory, where text has the same word for memory and devices (before QEMU 2.9)."""
