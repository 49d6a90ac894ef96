"""Whatever a guest does to its VGA, there is a picture."""

from __future__ import annotations

from random import Random

import pytest

from tests.hw.vga import modes, traffic
from tests.hw.vga.benches import PLACED, VgaBench

_MODES = (modes.TEXT_80, modes.TEXT_40, *modes.GRAPHICS.values())


@pytest.mark.parametrize("seed", range(20))
def test_any_registers_make_a_picture(seed: int) -> None:
    random, ours = Random(seed), VgaBench()
    ours.obey([*PLACED, *random.choice(_MODES).varied(random).commands()])
    ours.obey(traffic.commands(random, 300))
    seen = ours.vga.picture()
    assert len(seen.rgb) == 3 * seen.width * seen.height
