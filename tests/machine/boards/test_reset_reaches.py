"""A reset of the machine reaches everything that a saved machine holds, on every board."""

from __future__ import annotations

from typing import Any

import pytest

from guestmap.hw.device import Stateless
from guestmap.machine import MachineConfig, make_board

pytestmark = pytest.mark.seabios

ALL: dict[str, Any] = {
    "ram_size": 16 << 20, "cpus": 2, "serial": True, "debugcon": True, "vapic": True, "smm": True,
}  # fmt: skip
BOARDS: tuple[tuple[dict[str, Any], set[str], set[str]], ...] = (
    # What a reset leaves alone: the selected configuration register, others' lines, EEPROMs.
    ({"ram_size": 16 << 20}, {"ConfigMechanism", "GlobalLines", "Eeprom"}, {"pci.0/01.0"}),
    (ALL, {"ConfigMechanism", "GlobalLines", "Eeprom"}, {"pci.0", "pci.0/00.0", "FwCfg"}),
    (ALL | {"machine": "microvm"}, {"GlobalLines"}, {"FwCfg", "AcpiGed"}),
    ({"machine": "none"}, set(), set()),
)


@pytest.mark.parametrize(("fields", "outlives", "among"), BOARDS)
def test_a_reset_reaches_every_device(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], outlives: set[str], among: set[str]
) -> None:
    board = make_board(MachineConfig(**fields))
    with board.system:
        blocks = board.register_blocks
        reached: set[int] = set()

        def seen(reset: Any) -> Any:
            def method(device: Any) -> None:
                reached.add(id(device))
                reset(device)

            return method

        resettable = {
            name: each for name, each in blocks.items()
            if hasattr(each, "reset") and not isinstance(each.state, Stateless)
        }  # fmt: skip
        for kind in {type(each) for each in resettable.values()}:
            monkeypatch.setattr(kind, "reset", seen(kind.reset))
        board.reset_devices()
        missed = {name: each for name, each in resettable.items() if id(each) not in reached}
        assert {type(each).__name__ for each in missed.values()} == outlives
        assert among <= resettable.keys()
