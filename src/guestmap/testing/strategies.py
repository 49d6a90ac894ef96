"""Hypothesis strategies: addresses and sizes where bugs live, random trees of regions."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from guestmap.base import ADDRESS_SPACE_SIZE, ConfigError
from guestmap.memory import MemoryRegion, MemoryRegionOps, MemorySystem

STEP = 0x100
"""Most addresses are small multiples of this, so that regions meet often."""

KINDS = ("container", "io", "ram", "rom_device", "alias")

_near = st.integers(0, 12).map(lambda n: n * STEP)
_small = st.integers(1, 10).map(lambda n: n * STEP)

addresses: st.SearchStrategy[int] = st.one_of(
    *[_near] * 4,
    st.sampled_from(
        [
            1,
            STEP - 1,
            (1 << 32) - STEP,
            1 << 63,
            ADDRESS_SPACE_SIZE - 2 * STEP,
            ADDRESS_SPACE_SIZE - 1,
        ]
    ),
)
"""Addresses in 64 bits, the first and the last among them."""

sizes: st.SearchStrategy[int] = st.one_of(
    *[_small] * 4,
    st.sampled_from([1, STEP + 1, 1 << 32, ADDRESS_SPACE_SIZE - 1, ADDRESS_SPACE_SIZE]),
)
"""Sizes of regions, from one byte to 2**64."""

priorities: st.SearchStrategy[int] = st.integers(-2, 2)


class RegionTree(NamedTuple):
    """One random machine.

    Attributes:
        system: owns the regions.
        regions: all of them, in the order they were made.
    """

    system: MemorySystem
    regions: list[MemoryRegion]


def make_region(
    system: MemorySystem, kind: str, name: str, size: int, target: MemoryRegion, offset: int
) -> MemoryRegion:
    """Return a region without host memory; ``target`` and ``offset`` are for an alias."""
    if kind == "container":
        return system.container(name, size)
    if kind == "io":
        return system.io(name, size, MemoryRegionOps(read=lambda offset, _size: offset))
    if kind == "ram":
        return system.ram(name, min(size, 1 << 40), backed=False)
    if kind == "rom_device":
        return system.rom_device(name, min(size, 1 << 40), MemoryRegionOps(), backed=False)
    return system.alias(name, target, offset, size)


@st.composite
def region_trees(draw: st.DrawFn, max_regions: int = 12) -> RegionTree:
    """Random trees with aliases of anything, of themselves too, and every flag.

    A view of such a tree may never end; rendering then raises ConfigError.
    """
    system = MemorySystem()
    regions = [system.container("r0", draw(sizes))]
    for number in range(1, draw(st.integers(1, max_regions))):
        kind = draw(st.sampled_from(KINDS))
        target = draw(st.sampled_from(regions))
        offset = draw(addresses)
        region = make_region(system, kind, f"r{number}", draw(sizes), target, offset)
        set_flags(draw(flags), region)
        regions.append(region)
    for region in draw(st.permutations(regions)):
        _place(draw, region, regions)
    return RegionTree(system, regions)


flags: st.SearchStrategy[frozenset[str]] = st.frozensets(
    st.sampled_from(["disabled", "readonly", "nonvolatile", "unmergeable", "io_mode"]), max_size=2
)


def set_flags(names: frozenset[str], region: MemoryRegion) -> None:
    """Give a region the flags that are named."""
    region.set_enabled("disabled" not in names)
    region.set_readonly("readonly" in names)
    region.set_nonvolatile("nonvolatile" in names)
    region.set_unmergeable("unmergeable" in names)
    if region.rom_device:
        region.set_romd_mode("io_mode" not in names)


def _place(draw: st.DrawFn, region: MemoryRegion, regions: list[MemoryRegion]) -> None:
    """Put a region into some other one, or leave it a root with an address of its own."""
    holder = draw(st.sampled_from(regions))
    offset = draw(addresses)
    try:
        holder.add_subregion(offset, region, draw(priorities))
    except ConfigError:  # an alias holds nothing, and nobody holds himself
        region.set_address(offset)
