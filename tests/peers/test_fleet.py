"""A fleet of real QEMUs: on four hosts, one of them cut off; through killed workers, schedulers and
clients, of which none makes a DIMM too many."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestmap.domain import open_peer, survey
from guestmap.testing.guests import hotplug_guest
from tests.support.fleet_hosts import DaskPrograms, Machines, hosts, stopped, until

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(600)]

HOSTS, EACH = 4, 10
FEW = 6


def guestmap(*words: object, fault: str = "") -> subprocess.CompletedProcess[str]:
    """Run guestmap as a user does; killed at a point of ``guestmap.base.faults``, perhaps."""
    environment = {**os.environ, **({"GUESTMAP_FAULT": fault} if fault else {})}
    command = [sys.executable, "-m", "guestmap", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False, env=environment
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def inventory(path: Path, machines: list[tuple[str, str, str]]) -> Path:
    path.write_text(
        "".join(
            f'[[machine]]\nname = "{name}"\nsource = "{source}"\nhost = "{host}"\n'
            for name, source, host in machines
        )
    )
    return path


def test_forty_machines_on_four_hosts_of_which_one_is_cut_off_and_one_stops(tmp_path):
    with hosts(HOSTS) as found:
        machines = Machines(tmp_path)
        try:
            named = []
            for host in found:
                for number in range(EACH):
                    name, port = f"{host.name}-{number}", 4000 + number
                    machines.start(name, f"tcp:{host.address}:{port}", host.prefix)
                    named.append((name, f"tcp:{host.address}:{port}", host.name))
            fleet = inventory(tmp_path / "fleet.toml", named)
            words = ("fleet", "audit", fleet, "--json", "--timeout", "60", "--retries", "8")
            done = guestmap(*words)
            *all_of_them, end = lines(done)
            assert (done.returncode, len(all_of_them)) == (0, HOSTS * EACH), done
            assert {each["state"] for each in all_of_them} == {"ok"}, end
            assert {each["memory"]["slots_left"] for each in all_of_them} == {4}  # type: ignore[index]

            stopped(machines.processes["host1-3"])
            found[3].cut()
            words = ("fleet", "audit", fleet, "--json", "--timeout", "3", "--retries", "0")
            done = guestmap(*words)
            *others, end = lines(done)
            assert (done.returncode, len(others)) == (1, HOSTS * EACH), done
            bad = {str(each["machine"]) for each in others if each["state"] != "ok"}
            assert bad == {"host1-3"} | {f"host4-{number}" for number in range(EACH)}
            assert done.stderr == ""
        finally:
            machines.close()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Path]:
    """Machines with a guest that takes part, and their inventory."""
    rom = tmp_path / "guest.rom"
    rom.write_bytes(hotplug_guest())
    machines = Machines(tmp_path, rom)
    try:
        named = []
        for number in range(FEW):
            path = tmp_path / f"vm{number}"
            machines.start(path.name, f"unix:{path}")
            named.append((path.name, f"unix:{path}", f"node{number % 3}"))
        done = inventory(tmp_path / "fleet.toml", named)
        until(lambda: all((tmp_path / name).exists() for name, *_ in named), "the sockets")
        until(lambda: all(_takes_part(source) for _, source, _ in named), "the guests")
        yield done
    finally:
        machines.close()


def _takes_part(source: str) -> bool:
    with open_peer(source) as peer:
        return survey(peer).situation.gpe_enabled is True


@pytest.fixture
def dask(tmp_path: Path) -> Iterator[DaskPrograms]:
    programs = DaskPrograms(tmp_path)
    try:
        programs.start()
        yield programs
    finally:
        programs.close()


def plan(fleet: Path) -> Path:
    path = fleet.with_name("plan.json")
    done = guestmap("fleet", "plan", "128M", fleet, "-o", path)
    assert done.returncode == 0, done
    assert f"128 MiB for {FEW} of {FEW} machines" in done.stdout
    return path


def assert_each_has_one(plan: Path) -> None:
    """Hold every machine to one DIMM of the plan, and to no backend without one."""
    name = f"dimm{int(json.loads(plan.read_bytes())['id'], 16)}"
    for number in range(FEW):
        with open_peer(f"unix:{plan.parent / f'vm{number}'}") as peer:
            situation = survey(peer).situation
        assert [each.id for each in situation.devices] == [name], f"vm{number}"
        ours = [each for each in situation.backends if each.startswith("memdimm")]
        assert ours == [f"mem{name}"]


APPLY = ("--percent", "100", "--canary", "0", "--pause-after", "0", "--guest-timeout", "20")


def resumed(plan: Path, *words: object) -> Counter[str]:
    done = guestmap("fleet", "apply", plan, "--resume", "--json", *APPLY, *words)
    assert done.returncode == 0, done
    return Counter(str(each["ending"]) for each in lines(done))


@pytest.mark.parametrize(
    "fault", ["send.after-object-add", "send.after-device_add", "note.before-remove"]
)
def test_a_client_that_is_killed_is_resumed(fleet, fault):
    path = plan(fleet)
    done = guestmap("fleet", "apply", path, *APPLY, fault=fault)
    assert done.returncode == -9, done
    resumed(path)
    assert_each_has_one(path)
    undone = guestmap("fleet", "undo", path, "--guest-timeout", "20")
    assert undone.stdout == f"{FEW} machines: {FEW} undone\n", undone


def test_a_worker_that_is_killed_in_the_middle_costs_nothing(fleet, dask):
    path = plan(fleet)
    fleet.write_text(fleet.read_text().replace("node", "far"))  # no worker is of these hosts
    for number, fault in enumerate(("", "send.after-object-add", "")):
        dask.work(f"w{number}", **({"GUESTMAP_FAULT": fault} if fault else {}))
    kept = json.loads(path.read_text())
    for each in kept["machines"]:
        each["host"] = ""
    path.write_text(json.dumps(kept))
    done = guestmap("fleet", "apply", path, "--json", *APPLY, *dask.options())
    assert done.returncode == 0, done
    assert Counter(str(each["ending"]) for each in lines(done)) == {"has-it": FEW}
    assert dask.workers["w1"].wait(60) == -9
    assert_each_has_one(path)


def test_a_hosts_only_worker_that_is_killed_leaves_its_machines_to_a_resume(fleet, dask):
    path = plan(fleet)
    for number, fault in enumerate(("", "send.after-device_add", "")):
        dask.work(f"node{number}", **({"GUESTMAP_FAULT": fault} if fault else {}))
    until(lambda: guestmap("fleet", "ask", "ram", fleet, *dask.options()).returncode == 0, "all")
    done = guestmap("fleet", "apply", path, "--json", *APPLY, *dask.options())
    assert done.returncode == 1, done
    endings = {str(each["machine"]): each["ending"] for each in lines(done)}
    good = {name for name, ending in endings.items() if ending == "has-it"}
    assert good == {"vm0", "vm2", "vm3", "vm5"}
    dask.work("node1")
    until(lambda: guestmap("fleet", "ask", "ram", fleet, *dask.options()).returncode == 0, "all")
    assert resumed(path, *dask.options()) == {"has-it": FEW - len(good)}
    assert_each_has_one(path)


def test_a_scheduler_that_is_killed_is_replaced_and_the_plan_resumed(fleet, dask):
    path = plan(fleet)
    for number in range(3):
        dask.work(f"node{number}")
    until(lambda: guestmap("fleet", "ask", "ram", fleet, *dask.options()).returncode == 0, "all")
    words = ("--canary", "1", "--percent", "20", "--pause-after", "0", "--guest-timeout", "20")
    command = [sys.executable, "-m", "guestmap", "fleet", "apply", str(path), *words]
    with subprocess.Popen([*command, *dask.options()], stdout=subprocess.PIPE) as client:
        progress = path.with_name(path.name + ".progress")
        until(lambda: progress.exists() and progress.read_bytes().count(b"\n") > 1, "the canary")
        assert dask.scheduler is not None
        dask.scheduler.kill()
        assert client.wait(120) == 1
    dask.start()
    for number in range(3):
        dask.work(f"node{number}")
    until(lambda: guestmap("fleet", "ask", "ram", fleet, *dask.options()).returncode == 0, "all")
    resumed(path, *dask.options())
    assert_each_has_one(path)
