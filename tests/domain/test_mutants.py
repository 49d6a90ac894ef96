"""Twenty faults in planning and following, each noticed by a test beside this file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

PLAN, PLACING, WAITING = "domain/test_plan.py", "domain/test_placing.py", "domain/test_waiting.py"
VERIFY, OST = "domain/test_verify.py", "domain/test_ost.py"
FAULTS = [
    Fault("domain/placing.py", "each.addr >= address + size:", "each.addr > address + size:",
          PLACING),
    Fault("domain/placing.py", "if address + size <= window.end else None",
          "if address + size < window.end else None", PLACING),
    Fault("domain/placing.py", "if each.addr > address:", "if each.addr >= address:", PLACING),
    Fault("domain/placing.py", "    if address < window.end:\n", "    if address <= window.end:\n",
          PLACING),
    Fault("domain/placing.py", "return max(0, min(room, ", "return max(0, max(room, ",
          f"{PLACING} {PLAN}"),
    Fault("domain/place_blockers.py", "address < window.start or address + size > window.end",
          "address < window.start or address + size >= window.end", PLAN),
    Fault("domain/blockers.py", "if request.slot > last:", "if request.slot > last + 1:", PLAN),
    Fault("domain/blockers.py", "if nodes is None or request.node < max(nodes, 1):",
          "if nodes is None or request.node <= max(nodes, 1):", PLAN),
    Fault("domain/blockers.py", "{0: host.total + host.swap_total, 2:", "{0: host.total, 2:", PLAN),
    Fault("domain/place_blockers.py", "number % MIB or not 0 < number <= left",
          "not 0 < number <= left", PLAN),
    Fault("domain/cautions.py", "PAGES_PER_STRUCTURES = 64", "PAGES_PER_STRUCTURES = 128", PLAN),
    Fault("domain/cautions.py", "if not situation.kvm or after <= OLD_SLOTS",
          "if not situation.kvm or after < OLD_SLOTS", PLAN),
    Fault("domain/cautions.py", "if limit is None else min(limit, VHOST_USER_SLOTS)",
          "if limit is None else limit", PLAN),
    Fault("domain/verify.py", '            ("node", found.node, planned.node),\n', "", VERIFY),
    Fault("domain/verify.py", "planned.addr < each.end and each.addr < planned.end",
          "planned.addr < each.end", VERIFY),
    Fault("domain/waiting.py", "now >= self.deadline", "now > self.deadline", WAITING),
    Fault("domain/waiting.py", 'if said.what == "RESET":', 'if said.what != "RESET":', WAITING),
    Fault("domain/waiting.py", 'OstKind.SUCCESS and self.verb == "plug"', "OstKind.SUCCESS",
          WAITING),
    Fault("domain/waiting.py", '_text(data, "device") or _text(data, "path")',
          '_text(data, "device")', WAITING),
    Fault("domain/ost.py", "EJECT_REQUEST, OS_EJECT})", "EJECT_REQUEST})", f"{OST} {WAITING}"),
]  # fmt: skip


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
