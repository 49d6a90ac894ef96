"""Twenty faults in what answers questions about a map, each noticed by a test beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

DIFF, LINT, RAM = (
    "inspect/ask/test_view_diff.py inspect/ask/test_diff.py",
    "inspect/ask/test_lint.py",
    "inspect/ask/test_ram_ranges.py",
)
PATHS, EXPLAIN = "inspect/map/test_ways.py", "inspect/ask/test_explain.py"
FAULTS = [
    Fault("inspect/map/ways.py", "return not visible and self._regions.get(way.region.id, 0) > 0",
          "return False", f"{PATHS} {EXPLAIN} inspect/map/test_unshown.py"),
    Fault("inspect/map/ways.py", "return self.lo <= address < self.hi",
          "return self.lo <= address <= self.hi", f"{PATHS} {EXPLAIN}"),
    Fault("inspect/text/rebuild/evidence.py", "        and region.priority == said.priority\n", "",
          "inspect/text/rebuild"),
    Fault("inspect/ask/region_diff.py", "one.alias_offset != other.alias_offset or (", "(", DIFF),
    Fault("inspect/ask/region_diff.py", "(one.alias is None and one.type != other.type",
          "(one.type != other.type", DIFF),
    Fault("inspect/ask/region_diff.py", '(one.readonly and not other.readonly, "writable")',
          '(False, "writable")', DIFF),
    Fault("inspect/ask/region_diff.py", "number = same.index((region.addr, region.id)) + 1",
          "number = same.index((region.addr, region.id))", DIFF),
    Fault("inspect/ask/view_diff.py", "one.end == other.start and all(", "all(", DIFF),
    Fault("inspect/ask/view_diff.py", "each.offset_in_region + address - each.start",
          "each.offset_in_region", DIFF),
    Fault("inspect/ask/lint_tree.py", "alias.alias_offset + alias.size > target.size",
          "alias.size > target.size", LINT),
    Fault("inspect/ask/lint_tree.py", "if child.enabled and child.addr + child.size > holder.size",
          "if child.addr + child.size > holder.size", LINT),
    Fault("inspect/ask/lint_overlap.py", "ends[0][0] <= each.addr", "ends[0][0] < each.addr", LINT),
    Fault("inspect/ask/lint_overlap.py", "region.alias_offset, region.readonly",
          "region.alias_offset", LINT),
    Fault("inspect/ask/lint_slots.py", "each.start % page or each.size % page", "each.start % page",
          LINT),
    Fault("inspect/ask/lint_slots.py", "if start % block or end % block:", "if start % block:",
          LINT),
    Fault("inspect/ask/lint_slots.py", " end > limit:\n", " end >= limit:\n",
          LINT),
    Fault("inspect/ask/lint_slots.py", "        if len(slots) > limit:\n",
          "        if len(slots) >= limit:\n", LINT),
    Fault("inspect/ask/lint_slots.py", "one.offset_in_region + one.size == other.offset_in_region",
          "True", LINT),
    Fault("inspect/ask/ram_ranges.py", "each.place.offset + address - each.start",
          "each.place.offset", RAM),
    Fault("inspect/ask/ram_ranges.py", "each.start <= address < each.end",
          "each.start <= address <= each.end", RAM),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
