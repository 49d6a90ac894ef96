"""Faults in the engines that their tests must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.long, pytest.mark.unicorn]

_U = "accel/unicorn/"
_DELIVERY, _MAPPER, _PIECES = (f"accel/test_{name}.py" for name in ("delivery", "mapper", "pieces"))
_STATE, _DOORBELL, _INTERRUPTS = (
    f"accel/test_{name}.py" for name in ("state", "doorbell", "interrupts")
)
_SMM = "accel/test_smm.py"
_INTERNALS = "accel/test_internals.py"
_CONTRACT, _STALE = "accel/test_contract.py", "accel/test_stale_code.py"

FAULTS = (
    Fault(
        _U + "internals/exploring.py",
        "== [1, 0, 1]",
        "== [1, 1, 1]",
        _INTERNALS,
    ),
    Fault(
        _U + "internals/exploring.py",
        "if _u64(target + n) == fill)",
        "if _u64(target + n) != fill)",
        _INTERNALS,
    ),
    Fault(
        _U + "internals/structures.py",
        "self.registers + self.findings.msrs[number]",
        "self.registers - self.findings.msrs[number]",
        _INTERNALS,
    ),
    Fault(_U + "sharing.py", "if each.writable:", "if not each.writable:", _STALE),
    Fault(
        _U + "stale_code.py",
        "place[0] != start and self.may_have_code",
        "place[0] == start and self.may_have_code",
        _STALE,
    ),
    Fault(_U + "elsewhere.py", "if at < start:", "if at > start:", "accel/test_elsewhere.py"),
    Fault(_U + "interrupts.py", "self._mapper.muted = None", "pass", _INTERRUPTS),
    Fault(
        _U + "delivery.py",
        "return code, cpl if code.flags & _CONFORMING else dpl",
        "return code, dpl",
        _DELIVERY,
    ),
    Fault(
        _U + "delivery.py",
        "            limit = limit << 12 | 0xFFF",
        "            limit = limit << 12",
        _DELIVERY,
    ),
    Fault(
        _U + "delivery.py",
        "cause is Cause.SOFTWARE and high >> DESC_DPL_SHIFT & 3 < state.cpl",
        "high >> DESC_DPL_SHIFT & 3 < state.cpl",
        _DELIVERY,
    ),
    Fault(
        _U + "delivery.py",
        "_WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14, 17}",
        "_WITH_ERROR_CODE = {8, 10, 11, 12, 13, 14}",
        _DELIVERY,
    ),
    Fault(
        _U + "delivery.py",
        "mask = 0xFFFFFFFF if stack.flags & DESC_BIG else 0xFFFF",
        "mask = 0xFFFFFFFF",
        _DELIVERY,
    ),
    Fault(
        _U + "paging.py",
        "        return self._gated(physical)",
        "        return physical",
        _DELIVERY,
    ),
    Fault(
        _U + "paging.py",
        "self._memory.load(self._gated(at), size)",
        "self._memory.load(at, size)",
        _DELIVERY,
    ),
    Fault(
        _U + "paging.py",
        "GuestFault(PAGE_FAULT, _FAULT_PROTECTION | _FAULT_WRITE, address)",
        "GuestFault(PAGE_FAULT, _FAULT_WRITE, address)",
        _DELIVERY,
    ),
    Fault(
        _U + "mapped_memory.py",
        "            self._windows.close(piece.start, piece.end)\n",
        "",
        _MAPPER,
    ),
    Fault(
        _U + "mapped_memory.py",
        "            undo.callback(self._let_go_of_unmapped, piece.block)\n",
        "",
        _MAPPER,
    ),
    Fault(_U + "mapped_memory.py", "if not piece.writable:", "if False:", _MAPPER),
    Fault(
        _U + "windows.py",
        "if len(self._sizes) >= MAX_WINDOWS:",
        "if len(self._sizes) > MAX_WINDOWS:",
        _MAPPER,
    ),
    Fault(
        _U + "mapper.py",
        "if self.muted == threading.get_ident():",
        "if self.muted is not None:",
        _MAPPER,
    ),
    Fault(
        _U + "pieces.py",
        "            and self.romd == before.romd\n",
        "",
        _PIECES,
    ),
    Fault(
        "base/addrrange.py",
        "if found and start <= found[-1][1]:",
        "if found and start < found[-1][1]:",
        "base/test_addrrange.py",
    ),
    Fault(
        _U + "blob_state.py",
        "            and self.hflags & _HF_CS32\n",
        "",
        _STATE,
    ),
    Fault(
        _U + "blob_state.py",
        "            flags &= ~_TSS_BUSY",
        "            pass",
        _STATE,
    ),
    Fault(_U + "boot_state.py", "FPTAG: 0xFFFF", "FPTAG: 0", _STATE),
    Fault(
        "accel/factory.py",
        "        if isinstance(error, ModuleNotFoundError):",
        "        if True:",
        _CONTRACT,
    ),
    Fault(
        "accel/doorbell.py",
        "            self._host_time.on_schedule = self._former_hook",
        "            pass",
        _DOORBELL,
    ),
    Fault(
        "accel/doorbell.py",
        "            self._inside = not self._rung",
        "            self._inside = True",
        _DOORBELL,
    ),
    Fault(
        _U + "cpu.py",
        "            state.restore(image)",
        "            pass",
        _INTERRUPTS,
    ),
    Fault(
        "accel/loop.py",
        "            if self._ended is None:\n                for observer",
        "            if True:\n                for observer",
        "accel/test_loop.py",
    ),
    Fault(
        "accel/loop.py",
        "        if self._ended is None:\n            self._ended = end",
        "        self._ended = end",
        "accel/test_loop.py",
    ),
    Fault(
        "accel/loop.py",
        "again=activity is Activity.RETRYING",
        "again=False",
        "accel/test_loop.py",
    ),
    Fault(
        _U + "whole_state.py",
        "rip=saved.rip, shadow=saved.shadow,",
        "rip=saved.rip,",
        "accel/test_whole_state.py",
    ),
    Fault(
        _U + "modes.py",
        "    if not flat or any(state.segment(index).base for index in (DS, ES, SS)):",
        "    if not flat:",
        "accel/test_whole_state.py",
    ),
    Fault(_U + "smm.py", "pending and not self.active", "pending", _SMM),
    Fault(_U + "vcpu.py", "if smm.active else self._memory", "if False else memory", _SMM),
    Fault(_U + "vcpu.py", "        self._hooks.memory = memory\n", "", _SMM),
    Fault(_U + "save_area.py", "0: state.control(0) & _CR0_AT_ENTRY, ", "", _SMM),
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
