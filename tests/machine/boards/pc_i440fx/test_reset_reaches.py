"""A reset of the machine reaches everything that a saved machine holds."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.machine import MachineConfig, VirtualMachine

RAM = 16 << 20
OUTLIVES = {"ConfigMechanism", "GlobalLines", "Eeprom"}
"""What a reset leaves alone: the selected configuration register, others' lines, EEPROMs."""


def test_a_reset_reaches_every_device(monkeypatch: pytest.MonkeyPatch) -> None:
    with VirtualMachine(MachineConfig(ram_size=RAM)) as vm:
        blocks = vm.board.register_blocks
        reached: set[int] = set()

        def seen(reset: Any) -> Any:
            def method(device: Any) -> None:
                reached.add(id(device))
                reset(device)

            return method

        resettable = {name: each for name, each in blocks.items() if hasattr(each, "reset")}
        for kind in {type(each) for each in resettable.values()}:
            monkeypatch.setattr(kind, "reset", seen(kind.reset))
        vm.board.reset_devices()
        missed = {type(each).__name__ for each in resettable.values() if id(each) not in reached}
        assert missed == OUTLIVES
        assert {"pci.0", "pci.0/00.0", "pci.0/01.0", "FwCfg"} <= resettable.keys()
