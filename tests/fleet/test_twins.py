"""One machine by two sources is one machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from guestmap.base import MIB
from guestmap.fleet.fleet_plan import PlannedMachine
from guestmap.fleet.inventory import FleetMachine
from guestmap.fleet.plan_work import PlanOptions, plan_one
from guestmap.fleet.twins import told_once
from tests.support.fleet_hosts import until
from tests.support.processes import popen
from tests.support.qemu import require_qemu

UUID, NONE = "c7a5fdbd-edaf-9455-926a-d65c16db1809", "00000000-0000-0000-0000-000000000000"


def planned(name: str, run: str, source: str = "", host: str = "") -> PlannedMachine:
    return PlannedMachine(name, source or f"unix:/run/{name}", "fits", host, run=run)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (planned("a", f"{UUID} 7"), planned("b", f"{UUID} 7", "libvirt:web")),
        (planned("a", f"{UUID} 7", "tls:n1:1", "n1"), planned("b", f"{UUID} 7", "tls:x:1", "x")),
        (planned("a", f"{NONE} 7", host="n1"), planned("b", f"{NONE} 7", host="n1")),
    ],
)
def test_the_second_is_blocked_and_says_which_it_is(first, second):
    kept, other = told_once([first, second])
    assert (kept, other.verdict) == (first, "blocked")
    assert other.reasons[0].code == "named-twice"
    assert other.reasons[0].text == f"it is a, whose source is {first.source}"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (planned("a", f"{UUID} 7"), planned("b", f"{UUID} 8")),  # a clone that has its UUID
        (planned("a", f"{NONE} 7", host="n1"), planned("b", f"{NONE} 7", host="n2")),
        (planned("a", f"{NONE} 7", "tls:n1:1"), planned("b", f"{NONE} 7", "tls:n2:1")),
        (planned("a", ""), planned("b", "")),
        (planned("a", "nonsense 7", "tls:n1:1"), planned("b", "nonsense 7", "nonsense:")),
    ],
)
def test_what_may_be_two_is_two(first, second):
    assert list(told_once([first, second])) == [first, second]


@pytest.mark.qemu
@pytest.mark.parametrize("words", [(), ("-uuid", UUID)])
def test_a_real_qemu_by_two_of_its_sockets(words, tmp_path: Path):
    sockets = [tmp_path / name for name in ("a", "b")]
    command = [
        require_qemu(), "-M", "pc", "-accel", "tcg", "-S", "-nodefaults", "-display", "none",
        "-m", "64M,slots=2,maxmem=1G", *words,
        *(word for each in sockets for word in ("-qmp", f"unix:{each},server=on,wait=off")),
    ]  # fmt: skip
    with popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: all(each.exists() for each in sockets), "QEMU listens")
            machines = [FleetMachine(each.name, f"unix:{each}") for each in sockets]
            options = PlanOptions(128 * MIB)
            told = list(told_once(plan_one(each, options) for each in machines))
        finally:
            process.kill()
    assert told[0].verdict != "failed", told[0]
    assert [each.reasons[0].code for each in told[1:]] == ["named-twice"]
