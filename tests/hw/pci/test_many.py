"""A machine of many functions, most behind bridges: the one that the benchmarks measure."""

from __future__ import annotations

import pytest
from benchmarks.pci import MASTER, MEMORY, Layout, Machine


@pytest.mark.parametrize("functions", [10, 300])
def test_a_function_among_many_moves(functions: int) -> None:
    layout = Layout(functions)
    machine = Machine(layout)
    machine.write(layout.set_up(MEMORY | MASTER))
    bar = layout.functions[functions // 2].bar
    there, back = layout.moves()[:2], layout.moves()[2:]

    def answers(address: int) -> bool:
        found = machine.space.view.find(address)
        return found is not None and found.region.name == "pci-testdev-mmio"

    assert (answers(bar), answers(bar + 0x1000)) == (True, False)
    machine.write(there)
    assert (answers(bar), answers(bar + 0x1000)) == (False, True)
    machine.write(back)
    assert (answers(bar), answers(bar + 0x1000)) == (True, False)
