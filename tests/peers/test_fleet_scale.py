"""Five thousand generated machines, each map another: all looked at, and no memory grows."""

from __future__ import annotations

import os

import pytest

from guestmap.fleet import ClusterSettings, Patience, opened, read_inventory
from guestmap.fleet.audit import audit
from guestmap.fleet.look import LookOptions, look_at
from guestmap.fleet.tally import Tally
from tests.support.fleet_generator import write_fleet

pytestmark = [pytest.mark.peers, pytest.mark.timeout(900)]

COUNT = 5_000
MOST = 64 << 20
"""Bytes that the client may grow by: a record is a kilobyte, and all of them would be more."""


def resident() -> int:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_five_thousand_machines(tmp_path):
    inventory = read_inventory([str(write_fleet(tmp_path / "dumps", COUNT))])
    options = LookOptions(Patience(30.0, 0))
    tally, alone = Tally(), 0
    with opened(ClusterSettings(workers=2)) as client:
        before = resident()
        for number, each in enumerate(audit(client, inventory, options)):
            assert each.is_ok, each
            tally.add(each)
            if number % 500 == 0:  # the same as one process alone says
                (machine,) = inventory.selected([f"name={each.machine}"])
                assert look_at(machine, options).findings == each.findings
                alone += 1
        assert resident() - before < MOST
    told = tally.summary()
    assert (told.machines, told.failed, alone) == (COUNT, {}, 10)
    assert told.maps > COUNT * 0.9
    hidden = next(each for each in told.kinds if each.code == "hidden-region")
    assert COUNT * 0.07 < hidden.machines < COUNT * 0.13
    assert len(told.worst) == 20
