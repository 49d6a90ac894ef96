"""Faults in the machine that its tests must notice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.planted import Fault, is_noticed

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.long

_GATE, _TURNS = "machine/test_gate.py", "machine/test_turns.py"
_PLACES, _FAILURES = "machine/hotplug/test_device_memory.py", "machine/hotplug/test_failures.py"
_LAYOUT, _SMP = "machine/boards/pc_i440fx/test_layout.py", "machine/options/test_smp.py"
_PHASES = "machine/test_phases.py"

FAULTS = (
    Fault("machine/gate.py", "if self._holder == ticket.thread:", "if False:", _GATE),
    Fault(
        "machine/gate.py",
        "                self._queue.remove(ticket)",
        "                pass",
        _GATE,
    ),
    Fault("machine/gate.py", "        if self._depth > 1:", "        if self._depth > 2:", _GATE),
    Fault("machine/gate.py", "ticket = self._queue.popleft()", "ticket = self._queue.pop()", _GATE),
    Fault(
        "machine/lifecycle.py",
        "            self._halted_for_good = False\n            self._wake()",
        "            self._wake()",
        _TURNS,
    ),
    Fault(
        "machine/lifecycle.py",
        "            self.board.clock.start()\n",
        "",
        "machine/test_time.py",
    ),
    Fault(
        "machine/hotplug/device_memory.py",
        "if low >= start + size:",
        "if other.start > start + size:",
        _PLACES,
    ),
    Fault(
        "machine/hotplug/device_memory.py",
        "if end <= start:",
        "if other.end < start:",
        _PLACES,
    ),
    Fault(
        "machine/hotplug/device_memory.py",
        "if start < base or start + size > base + length:",
        "if start < base or start + size >= base + length:",
        _PLACES,
    ),
    Fault(
        "machine/tree/lookup.py",
        "            self._numbers.add(number)",
        "            pass",
        "machine/tree/test_composition.py",
    ),
    Fault(
        "machine/hotplug/handler.py",
        '            undo.callback(memory.add, dimm.addr, region, dimm.id or "")',
        "            pass",
        _FAILURES,
    ),
    Fault(
        "machine/hotplug/pc_dimm.py",
        "if self.node and self.node >= self.nodes:",
        "if self.node and self.node > self.nodes:",
        _FAILURES,
    ),
    Fault(
        "machine/boards/pc_i440fx/layout.py",
        "if config.ram_size >= low:",
        "if config.ram_size > low:",
        _LAYOUT,
    ),
    Fault(
        "machine/boards/pc_i440fx/layout.py",
        "    return -(-address // GIB) * GIB",
        "    return (address // GIB + 1) * GIB",
        _LAYOUT,
    ),
    Fault(
        "machine/options/smp.py",
        "            cores = maximum // (sockets * threads)",
        "            cores = maximum // sockets",
        _SMP,
    ),
    Fault(
        "machine/options/smp.py",
        "0 if given else cpu // per_socket % len(nodes)",
        "cpu // per_socket % len(nodes)",
        _SMP,
    ),
    Fault(
        "machine/options/numa.py",
        "    if cpu >= cpus:",
        "    if cpu > cpus:",
        _SMP,
    ),
    Fault(
        "machine/phases.py",
        "_ORDER[phase] > _ORDER[present]",
        "_ORDER[phase] >= _ORDER[present]",
        _PHASES,
    ),
    Fault(
        "machine/phases.py",
        "        if for_good or self.gave_up:",
        "        if for_good:",
        _PHASES,
    ),
    Fault(
        "machine/debug_log.py",
        "if len(self._partial) < LONGEST_LINE:",
        "if len(self._partial) < 2 * LONGEST_LINE:",
        "machine/test_debug_log.py",
    ),
    Fault(
        "machine/management.py",
        "            for each in reversed(bus.devices):",
        "            for each in bus.devices:",
        "hotplug/test_bridges.py",
    ),
    Fault(
        "machine/management.py",
        "                device.parent_bus.remove(device)",
        "                pass",
        "hotplug/test_bridges.py",
    ),
    Fault(
        "machine/timeline.py",
        "each.time_ns <= until",
        "each.time_ns < until",
        "machine/test_timeline.py",
    ),
    Fault(
        "machine/saved/format.py",
        "if self._checked and self._digest_of",
        "if False and self._digest_of",
        "machine/saved/test_format.py",
    ),
    Fault(
        "machine/saved/content.py",
        "if piece.offset % PAGE or piece.offset < end:",
        "if piece.offset % PAGE:",
        "machine/saved/test_format.py",
    ),
    Fault(
        "machine/saved/content.py",
        "    if stored != data_length:",
        "    if stored > data_length:",
        "machine/saved/test_format.py",
    ),
    Fault(
        "machine/saved/ram.py",
        "        _clear(block, done, piece.offset)\n",
        "",
        "machine/saved/test_ram.py",
    ),
    Fault(
        "machine/saved/ram.py",
        "    _clear(block, done, block.used_length)\n",
        "",
        "machine/saved/test_ram.py",
    ),
    Fault(
        "machine/saved/ram.py",
        " and not reader.unused_data else None",
        " else None",
        "machine/saved/test_ram.py",
    ),
    Fault(
        "machine/saved/ram.py",
        "    block.written(0, block.used_length)\n",
        "",
        "machine/saved/test_ram.py",
    ),
    Fault("machine/running.py", "        if self._gate.held:", "        if False:", _TURNS),
    Fault(
        "machine/vm.py",
        "        self._observer(line)\n",
        "",
        "machine/test_observer.py",
    ),
    Fault(
        "machine/lifecycle.py",
        "self._reset_wanted is not None and self._state is not RunState.SHUTDOWN:",
        "self._reset_wanted is not None:",
        _TURNS,
    ),
    Fault(
        "machine/options/strings.py",
        'key[2:], "off", end + 1',
        'key[2:], "off", end + 2',
        "machine/options/test_strings.py",
    ),
    Fault(
        "machine/boards/microvm/board.py",
        "            ioapic.reset()",
        "            pass",
        "machine/boards/test_reset_reaches.py",
    ),
    Fault(
        "machine/boards/x86/interrupts.py",
        "        self.on_change()\n",
        "        pass\n",
        "machine/boards/test_lines.py",
    ),
    Fault(
        "machine/hotplug/device_maker.py",
        "if driver in OTHER_MEMORY_DEVICES:",
        "if False:",
        "machine/hotplug/test_refusals.py",
    ),
)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_planted_fault_is_noticed(fault: Fault, tmp_path: Path) -> None:
    assert is_noticed(fault, tmp_path)
