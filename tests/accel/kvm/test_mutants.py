"""Faults in the engine on KVM that its tests must notice, without a KVM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

_K = "accel/kvm/"
_VCPU, _DIRTY, _RING, _RINGS, _WATCH = (
    f"accel/kvm/test_{name}.py" for name in ("vcpu", "dirty", "ring", "dirty_ring", "memory_watch")
)

FAULTS = (
    Fault(_K + "dirty.py", 'int.from_bytes(seen[at], "little") & (', "(1 << 999) - 1 & (", _DIRTY),
    Fault(_K + "ring.py", "(first + 1) % _ENTRIES", "first + 1", _RING),
    Fault(
        _K + "execution.py", "            if ring.waiting:  # ", "            if False:  # ", _RING
    ),
    Fault(_K + "execution.py", "        if self._ring.waiting:", "        if False:", _RING),
    Fault(_K + "execution.py", "            page.interrupt_given()\n", "", _VCPU),
    Fault(_K + "execution.py", "            registers.in_page = False\n", "", _VCPU),
    Fault(
        _K + "registers.py",
        "        self.in_page = False\n        self._vcpu.call(",
        "        self._vcpu.call(",
        _VCPU,
    ),
    Fault(_K + "dirty_ring.py", "RingFlag.RESET.to_bytes", "RingFlag.DIRTY.to_bytes", _RINGS),
    Fault(_K + "dirty_ring.py", "offset + page * PAGE", "offset", _RINGS),
    Fault(_K + "slots.py", "len(slots) - len(before or ())", "len(slots)", _DIRTY),
    Fault(_K + "slot_table.py", "self._space | number, flags", "number, flags", _VCPU),
    Fault(_K + "accesses.py", "and self._page.in_smm", "", _VCPU),
    Fault(_K + "guards.py", "readonly=True, guarded=True", "guarded=True", _WATCH),
    Fault(_K + "accesses.py", "live is None or live.slot.guarded", "live is None", _WATCH),
    Fault(_K + "execution.py", "if accesses.stop is None:", "if True:", _WATCH),
    Fault(_K + "slots.py", "            self._guards = before\n", "            pass\n", _WATCH),
    Fault(_K + "memory_watch.py", "if bool(before.writes) !=", "if False and 0 !=", _WATCH),
    Fault(
        "accel/interrupt_pin.py",
        "self._source.acknowledge() if vector is None",
        "0 if vector is None",
        _VCPU,
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
