"""The map that a monitor gives is one that there was."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from guestmap.accel.memory_slot import MemorySlot
from guestmap.memory import MemoryRegion, MemorySystem
from guestmap.monitor.commands.ours import COMMANDS

_A_WHILE_S = 0.2


@pytest.mark.parametrize("name", ["x-guestmap-map", "x-guestmap-explain"])
def test_no_transaction_runs_while_the_map_is_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed: list[bool] = []

    def change_when_read(region: MemoryRegion) -> str:
        changer.start()
        changer.join(_A_WHILE_S)
        changed.append(not region.enabled)
        return type_of(region)

    type_of = MemoryRegion.mtree_type
    monkeypatch.setattr(MemoryRegion, "mtree_type", change_when_read)
    memory = MemorySystem()
    region = memory.container("observed", 0x1000)
    memory.address_space("memory", region)
    changer = threading.Thread(target=region.set_enabled, args=[False])
    slots: list[MemorySlot] = [MemorySlot(3, 0x1000, 0x1000, 0x7F0000000000, True, False)]
    accelerator = SimpleNamespace(memory_slots=lambda: slots)
    vm = SimpleNamespace(board=SimpleNamespace(system=memory), accelerator=accelerator)
    context: Any = SimpleNamespace(vm=vm)
    command = next(each for each in COMMANDS if each.declaration.name == name)
    answer = command.run(context, {"address": 0})
    if name == "x-guestmap-map":
        assert [slot["number"] for slot in answer["slots"]] == [3]
    changer.join()
    assert changed == [False]
    assert not region.enabled
