"""The programmable attribute map (PAM): what C0000-FFFFF of a PC leads to, segment by segment."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guestmap.inspect.map.snapshot import Snapshot

PAM_EVIDENCE = (
    "Intel 82441FX data sheet, PAM (59h-5Fh): read enable and write enable for each segment;"
    " QEMU has one alias for each of the four settings and enables one of them"
)

_MODES = {
    ("pam-pci", False): "PCI",
    ("pam-rom", True): "RAM for reads only",
    ("pam-pci", True): "RAM for writes only",
    ("pam-ram", True): "RAM",
}
"""By the enabled alias's name and whether it shows RAM: what the segment's setting asks for."""

_Modes = dict[tuple[int, int], tuple[str, tuple[str, ...]]]


def pam_modes(snapshot: Snapshot) -> _Modes:
    """Return each segment's setting by (start, end), and the enabled alias's path."""
    modes: _Modes = {}
    for region in snapshot.regions:
        if region.alias is None or not region.enabled or not region.name.startswith("pam-"):
            continue
        is_ram = snapshot.regions[region.alias].type == "ram"
        mode = _MODES.get((region.name, is_ram))
        holder = snapshot.containers.get(region.id)
        if mode is not None and holder is not None:
            path = (snapshot.regions[holder].name, region.name)
            modes[region.addr, region.addr + region.size] = mode, path
    return modes


def pam_changes(a: Snapshot, b: Snapshot) -> list[tuple[str, tuple[tuple[str, ...], ...]]]:
    """Return a sentence for each run of segments that changed alike, and the aliases' paths."""
    before, after = pam_modes(a), pam_modes(b)
    found: list[tuple[int, int, str, str, tuple[str, ...]]] = []
    for (start, end), (mode, path) in sorted(after.items()):
        old = before.get((start, end), (mode, path))[0]
        if old == mode:
            continue
        if found and found[-1][1] == start and found[-1][2:4] == (old, mode):
            found[-1] = (found[-1][0], end, old, mode, path)
        else:
            found.append((start, end, old, mode, path))
    return [
        (f"PAM: {start:05X}-{end - 1:05X} changed from {old} to {mode}", (path,))
        for start, end, old, mode, path in found
    ]
