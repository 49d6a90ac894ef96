"""A password in a source is in no log of Dask's, no name of a task and no page."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from urllib.parse import quote

import pytest

from guestmap.base import HostError
from guestmap.fleet.audit import audit
from guestmap.fleet.cluster import ClusterSettings, opened
from guestmap.fleet.inventory import FleetInventory, FleetMachine
from guestmap.fleet.look import LookOptions, Patience
from tests.support.fleet_hosts import DaskPrograms
from tests.support.program import run_program

PASSWORD = "hunter2"
SOURCE = f"libvirt+qemu+tls://u:{PASSWORD}@127.0.0.1:1/system:vm"
PAGES = (
    "/info/main/workers.html", "/info/logs.html", "/info/task/{key}.html", "/json/identity.json",
    "/info/call-stack/{key}.html", "/info/worker/{worker}.html", "/info/call-stacks/{worker}.html",
    "/info/logs/{worker}.html", "/metrics",
)  # fmt: skip


def page(root: str, path: str) -> str:
    """Return what a page says; what refuses to be one says nothing."""
    try:
        with urllib.request.urlopen(root + path, timeout=10) as reply:
            return str(reply.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        with error:
            return error.read().decode(errors="replace")


def test_dasks_pages_and_names_of_tasks_while_a_machine_is_asked_and_after_it(monkeypatch):
    asked, go_on = threading.Event(), threading.Event()

    def down(source: str) -> None:
        assert source == SOURCE
        asked.set()
        go_on.wait(30)
        raise HostError(f"cannot reach {source}", call="connect")

    monkeypatch.setattr("guestmap.fleet.look.open_peer", down)
    monkeypatch.setattr("guestmap.fleet.look.survey", None)
    fleet = FleetInventory((FleetMachine("vm", SOURCE, "far"),))
    with opened(ClusterSettings(processes=False, workers=1, dashboard=True)) as client:
        found = []
        looking = threading.Thread(
            target=lambda: found.extend(audit(client, fleet, LookOptions(Patience(60.0, 0))))
        )
        looking.start()
        assert asked.wait(30)
        keys = client.run_on_scheduler(lambda dask_scheduler: [*map(str, dask_scheduler.tasks)])
        (worker,) = client.scheduler_info()["workers"]
        root = client.dashboard_link.removesuffix("/status")
        (key,) = keys
        paths = [each.format(key=quote(key), worker=quote(worker, safe="")) for each in PAGES]
        seen = {path: page(root, path) for path in paths}
        go_on.set()
        looking.join(60)
        seen |= {f"{path} later": page(root, path) for path in paths}
        seen["scheduler's log"] = str(client.get_scheduler_logs())
        seen["workers' logs"] = str(client.get_worker_logs())
        seen["names"] = str(keys)
    assert [each.state for each in found] == ["unreachable"]
    assert key in seen[f"/info/task/{quote(key)}.html"]
    assert [where for where, text in seen.items() if PASSWORD in text] == []
    assert PASSWORD not in found[0].error


@pytest.mark.peers
@pytest.mark.slow
def test_the_logs_of_dasks_own_programs(tmp_path, monkeypatch):
    monkeypatch.setenv("DASK_LOGGING__DISTRIBUTED", "debug")
    fleet = tmp_path / "fleet.toml"
    fleet.write_text(f'[[machine]]\nname = "vm"\nsource = "{SOURCE}"\n')
    plan = tmp_path / "plan.json"
    programs = DaskPrograms(tmp_path)
    try:
        programs.start()
        programs.work("w")
        said = [
            run_program("fleet", verb, *words, *programs.options())
            for verb, *words in (
                ("audit", fleet, "--json", "--retries", "0"),
                ("ask", "ram", fleet, "--json", "--retries", "0"),
                ("plan", "128M", fleet, "-o", plan, "--retries", "0"),
            )
        ]
        plan.write_text(plan.read_text().replace('"failed"', '"fits"'))
        said.append(run_program("fleet", "apply", plan, "--inventory", fleet, *programs.options()))
    finally:
        programs.close()
    assert [each.status for each in said] == [1, 1, 1, 1], said
    logs = [(tmp_path / f"{each}.log").read_text() for each in ("scheduler", "worker")]
    assert all("fleet-" in each for each in logs)  # they tell of every task
    assert [text for text in (*logs, plan.read_text(), *map(str, said)) if PASSWORD in text] == []
