"""The text of ``info mtree`` at several sizes: the cost of a region must not grow with them."""

from __future__ import annotations

from benchmarks.table import Row, median_seconds
from guestmap.inspect.ask.explain import explain
from guestmap.inspect.map.views import flat
from guestmap.inspect.text.mtree import assemble
from guestmap.inspect.text.pasted import read_pasted
from guestmap.inspect.text.rebuild import rebuild

SIZES = (1_000, 10_000, 100_000)


def rows() -> list[Row]:
    """Read, rebuild, render and explain; the note has the cost of one region."""
    return [_row(regions) for regions in SIZES]


def _row(regions: int) -> Row:
    text = tree_text(regions)

    def whole() -> None:
        snapshot = rebuild(assemble(read_pasted(text).text))
        flat(snapshot, snapshot.address_spaces[0].root)
        explain(snapshot, 0x1000 * (regions // 2))

    seconds = median_seconds(whole, 5 if regions < 100_000 else 1)
    note = f"{seconds / regions * 1e6:.0f} µs a region"
    return Row(f"read, rebuild, render, explain {regions:,} regions", seconds, note=note)


def tree_text(regions: int) -> str:
    """Return a tree of buses with nine devices each."""
    lines = [
        "address-space: memory",
        "  0000000000000000-ffffffffffffffff (prio 0, i/o): system",
    ]
    for i in range(0, regions * 0x1000, 0x1000):
        number, place = i >> 12, f"{i:016x}"
        if number % 10 == 0:
            lines.append(f"    {place}-{i + 0x9FFF:016x} (prio 0, i/o): bus{number}")
        else:
            lines.append(f"      {place}-{i + 0xFFF:016x} (prio 0, i/o): device{number}")
    return "\n".join([*lines, ""])
