"""Guesses at what a guest or its manager did, from the regions that changed.

Each rule knows regions by the names that QEMU gives them, and says where that is documented. The
first rule that fits a region speaks for it; a region that none fits has no guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from guestmap.base import format_size
from guestmap.inspect.ask.pam import PAM_EVIDENCE, pam_changes
from guestmap.inspect.map.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from guestmap.inspect.ask.pairs import Pairs
    from guestmap.inspect.ask.region_diff import RegionChange


@dataclass(frozen=True, slots=True)
class LikelyCause(Report):
    """A guess.

    Attributes:
        code: the rule: ``pam``, ``smram``, ``bar-moved``, ``dimm-added`` and so on.
        text: what probably happened.
        paths: the regions that it is told by (names from the root on); empty: address spaces.
        evidence: where it is written that such a change means this.
    """

    code: str
    text: str
    paths: tuple[tuple[str, ...], ...]
    evidence: str


class CauseRule(NamedTuple):
    """Which regions it knows (both patterns match whole names), and what their change means."""

    code: str
    name: str
    container: str
    fits: Callable[[RegionChange], bool]
    says: Callable[[RegionChange], str]
    evidence: str


def _always(_: RegionChange) -> bool:
    return True


def _is_switched(change: RegionChange) -> bool:
    return "enabled" in change.changes or "disabled" in change.changes


def _is_bar(change: RegionChange) -> bool:
    return change.state.priority == 1 and _kind(change) != ""


def _kind(change: RegionChange) -> str:
    """Return added, removed or moved; "" for anything else."""
    return next((c for c in change.changes if c in ("added", "removed", "moved")), "")


def _on(change: RegionChange) -> bool:
    return change.after is not None and change.after.enabled


def _span(change: RegionChange) -> str:
    return f"{change.place:x}-{change.place + change.state.size - 1:x}"


def _smram(change: RegionChange) -> str:
    on = _on(change)
    return {
        "smram-region": "SMRAM closed: A0000-BFFFF leads to PCI outside SMM"
        if on
        else "SMRAM opened: A0000-BFFFF is RAM outside SMM too",
        "smram": f"SMRAM {'enabled' if on else 'disabled'} for SMM (G_SMRAME)",
        "smram-low": f"A0000-BFFFF {'is' if on else 'is no longer'} RAM in SMM",
        "smram-high": f"high SMRAM {'mapped' if on else 'unmapped'} in SMM",
        "smram-open-high": f"high SMRAM {'opened' if on else 'closed'} outside SMM",
        "tseg-blackhole": f"TSEG {'hidden' if on else 'shown'} outside SMM at {_span(change)}",
        "tseg-window": f"TSEG {'mapped' if on else 'unmapped'} in SMM at {_span(change)}",
    }[change.name]


def _bar(change: RegionChange) -> str:
    what = "expansion ROM" if change.name.endswith(".rom") else "BAR"
    kind = _kind(change)
    if kind == "moved" and change.before and change.after:
        return f"{what} {change.name} moved from {change.before.addr:x} to {change.after.addr:x}"
    place = f"at {_span(change)} in {change.container}"
    return f"{what} {change.name} {'mapped' if kind == 'added' else 'unmapped'} {place}"


def _memory_device(change: RegionChange) -> str:
    kind = {"added": "plugged", "removed": "unplugged"}.get(_kind(change), "changed")
    name = change.state.target or change.name
    return f"memory device {name} ({format_size(change.state.size)}) {kind} at {_span(change)}"


def _device_window(what: str) -> Callable[[RegionChange], str]:
    def says(change: RegionChange) -> str:
        if change.after is None or not change.after.enabled:
            return f"{what} switched off"
        if "enabled" in change.changes or change.before is None:
            return f"{what} switched on at {_span(change)}"
        return f"{what} now at {_span(change)}, was at {change.before.addr:x}"

    return says


def _bus_master(change: RegionChange) -> str:
    who = (change.owner or "").removeprefix("owner:") or "a device"
    return f"bus mastering switched {'on' if _on(change) else 'off'} for {who}"


_MEMORY_DOC = "QEMU docs/devel/memory.rst"
_PCI_SPEC = "PCI Local Bus Specification 3.0, 6.2.5 (base addresses), 6.2.2 (command register)"
_BRIDGE_SPEC = "PCI-to-PCI Bridge Architecture Specification 1.2, 3.2.5"
_PIIX4 = (
    "Intel 82371AB (PIIX4) data sheet, PMBA (40h), PMREGMISC (80h), SMBBA (90h), SMBHSTCFG (D2h)"
)
_ICH9 = "Intel I/O Controller Hub 9 data sheet, PMBASE (40h), ACPI_CNTL (44h), RCBA (F0h)"

RULES: tuple[CauseRule, ...] = (
    CauseRule("smram", r"smram(-region|-low|-high|-open-high)?|tseg-(blackhole|window)", r".*",
              lambda c: _is_switched(c) or "moved" in c.changes, _smram,
              "Intel 82441FX data sheet, SMRAM (72h); Intel 3 Series Express Chipset data sheet,"
              " SMRAM (9Dh)"),
    CauseRule("bus-master", r"bus master", r"bus master container", _is_switched, _bus_master,
              "PCI Local Bus Specification 3.0, 6.2.2 (command register, bit 2)"),
    CauseRule("bridge-window", r"pci_bridge_(io|mem|pref_mem|vga_.*)", r".+", _always,
              _device_window("window of a PCI bridge"), _BRIDGE_SPEC),
    CauseRule("memory-device", r".*", r"device-memory", _always, _memory_device,
              "QEMU docs/specs/acpi_mem_hotplug.rst; pc-dimm and virtio-mem live in device-memory"),
    CauseRule("mmconfig", r"pcie-mmcfg-mmio", r".*", _always,
              _device_window("PCIe configuration space"),
              "Intel 3 Series Express Chipset data sheet, PCIEXBAR (60h)"),
    CauseRule("root-complex", r"lpc-rcrb-mmio", r".*", _always,
              _device_window("root complex register block"), _ICH9),
    CauseRule("power-management", r"ich9-pm", r".*", _always,
              _device_window("ACPI power management I/O"), _ICH9),
    CauseRule("power-management", r"piix4-pm|pm-smbus|via-pm", r".*",
              lambda c: c.state.priority == 0, _device_window("ACPI power management I/O"), _PIIX4),
    CauseRule("apic", r"(kvm-)?apic-msi", r".*", _always, _device_window("local APIC"),
              "Intel SDM volume 3A, IA32_APIC_BASE"),
    CauseRule("vga", r"vga\.(chain4|bank.*)|(cirrus|vga).*(bank|low|linear|mmio).*",
              r"(cirrus|vga).*|pci.*", lambda c: not _is_bar(c),
              _device_window("VGA memory window"),
              "FreeVGA, Graphics registers 6; Cirrus CL-GD5446 technical reference, GR9-GRB"),
    CauseRule("bar", r".*", r"(pci|io|mmio|.*pci.*|gpex_.*)", _is_bar, _bar, _PCI_SPEC),
)  # fmt: skip


def guess_causes(
    pairs: Pairs, changes: Iterable[RegionChange], added: Iterable[str], removed: Iterable[str]
) -> tuple[LikelyCause, ...]:
    """Return what probably led to region changes and to address spaces that came or went."""
    causes = [
        LikelyCause("pam", text, paths, PAM_EVIDENCE)
        for text, paths in pam_changes(pairs.a, pairs.b)
    ]
    for change in changes:
        rule = next((rule for rule in RULES if _applies(rule, change)), None)
        if rule is not None:
            code = f"{rule.code}-{_BAR_KINDS[_kind(change)]}" if rule.code == "bar" else rule.code
            causes.append(LikelyCause(code, rule.says(change), (change.path,), rule.evidence))
    for names, verb in ((added, "added"), (removed, "removed")):
        causes += [
            LikelyCause(*_device(name, verb), (), _MEMORY_DOC) for name in dict.fromkeys(names)
        ]
    return tuple(causes)


_BAR_KINDS = {"added": "mapped", "removed": "unmapped", "moved": "moved"}


def _applies(rule: CauseRule, change: RegionChange) -> bool:
    return (
        re.fullmatch(rule.name, change.name) is not None
        and re.fullmatch(rule.container, change.container) is not None
        and rule.fits(change)
    )


def _device(space: str, verb: str) -> tuple[str, str]:
    cpu = re.fullmatch(r"cpu-(?:memory|smm)-(\d+)", space)
    if cpu:
        return f"cpu-{verb}", f"CPU {cpu[1]} {verb}"
    return f"device-{verb}", f"device with its own view of memory {verb}: {space}"
