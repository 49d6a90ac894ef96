"""A libvirt that is reached over SSH, by its own remote driver: a real OpenSSH, with new keys."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from guestmap.base import MIB
from tests.peers.test_fleet_beside_libvirt import DIMM, named
from tests.support.fleet_hosts import until
from tests.support.libvirtd import ROOT, Libvirtd, libvirtd
from tests.support.qemu import require_qemu
from tests.support.remote_libvirt import (
    assert_found_audited_and_planned_for,
    assert_refused,
)
from tests.support.sshd import Sshd, sshd, write_key

pytestmark = [pytest.mark.peers, pytest.mark.qemu, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Libvirtd, Sshd]]:
    """A daemon with a domain that runs, and the way to it."""
    with (
        libvirtd(tmp_path_factory.mktemp("libvirt"), require_qemu()) as daemon,
        sshd(tmp_path_factory.mktemp("sshd"), daemon) as server,
    ):
        domain = daemon.connection.defineXML(named("plugged", DIMM))
        domain.createWithFlags(daemon.module.VIR_DOMAIN_START_PAUSED)
        yield daemon, server


@pytest.fixture(autouse=True)
def nobodys_keys_are_touched() -> Iterator[None]:
    def found() -> list[tuple[str, int]]:
        folder = Path("~/.ssh").expanduser()
        inside = sorted(folder.iterdir()) if folder.is_dir() else []
        return [(each.name, each.stat().st_mtime_ns) for each in inside]

    before = found()
    yield
    assert found() == before


def test_its_domains_are_found_audited_and_planned_for(theirs, tmp_path):
    daemon, server = theirs
    assert_found_audited_and_planned_for(daemon, server.uri(tmp_path / "ours"))


def test_the_commands_plan_plug_and_look_again(theirs, tmp_path, monkeypatch):
    daemon, server = theirs
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # where locks and journals are
    domains, plan = f"libvirt+{server.uri(tmp_path / 'ours')}:", str(tmp_path / "night.json")
    assert guestmap(daemon, "fleet", "plan", "128M", domains, "-o", plan).returncode == 0
    done = guestmap(daemon, "fleet", "apply", plan, "--guest-timeout", "0.5")  # no guest runs there
    assert (done.returncode, "plugged: guest-silent" in done.stdout) == (1, True), done
    done = guestmap(daemon, "fleet", "audit", domains, "--json")
    seen, _ = map(json.loads, done.stdout.splitlines())
    assert seen["memory"]["plugged"] == 384 * MIB, done


def test_whose_key_is_not_known_is_one_line(theirs, tmp_path):
    daemon, server = theirs
    write_key(tmp_path / "stranger")
    assert_refused(
        daemon, server.uri(tmp_path / "c", key=str(tmp_path / "stranger")), "ermission denied"
    )


@pytest.mark.parametrize(
    ("below", "why"),
    [("", "Host key verification failed"), ("long" * 60, "try ssh by hand")],
    ids=["short", "long"],
)
def test_a_server_that_is_another_is_one_line(theirs, below, why):
    """ssh names its file of known hosts three times, and libvirt reads 1,024 bytes of it."""
    daemon, server = theirs
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        another = write_key(place / "another")
        assert_refused(daemon, server.uri(place / below / "c", host_key=another), why)


def test_a_host_that_says_nothing_costs_its_line_and_leaves_nothing_behind(theirs, tmp_path):
    daemon, server = theirs
    uri = server.uri(tmp_path / "ours")
    os.kill(server.process.pid, signal.SIGSTOP)  # the kernel connects, and nobody answers
    try:
        words = ("--json", "--timeout", "6", "--retries", "0")
        done = guestmap(daemon, "fleet", "audit", f"libvirt+{uri}:plugged", *words)
        seen, _ = map(json.loads, done.stdout.splitlines())
        assert (done.returncode, seen["state"]) == (1, "slow"), done
        assert done.stderr == ""
        until(lambda: not clients(tmp_path), "an ssh is left behind", 10.0)
    finally:
        os.kill(server.process.pid, signal.SIGCONT)


def guestmap(daemon: Libvirtd, *words: str) -> subprocess.CompletedProcess[str]:
    """Run guestmap as a user does, in the daemon's network."""
    prefix = ["nsenter", f"--target={daemon.process}", "--net"]
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "usr/lib/python3/dist-packages"),
        "LD_LIBRARY_PATH": str(ROOT / "usr/lib/x86_64-linux-gnu"),
    }
    return subprocess.run(
        [*prefix, sys.executable, "-m", "guestmap", *words],
        capture_output=True, text=True, timeout=60, check=False, env=environment,
    )  # fmt: skip


def clients(folder: Path) -> list[int]:
    """Return the numbers of the ssh that have their settings in a folder."""
    lines = ((each.pid, each.info["cmdline"] or ()) for each in psutil.process_iter(["cmdline"]))
    return [number for number, words in lines if f"{folder}/ours/config" in words]
